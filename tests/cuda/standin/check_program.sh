#!/usr/bin/env bash
# laban itself on the stand-in GPU, as gpu_check.sh has it on a real one, on clips of 4 x 16 x 16: trained recorded and op by
# op, in every precision, checked op by op, stopped and resumed, evaluated. Argument: the program.
set -euo pipefail
laban=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$laban" synth "$work/dances" --split train=16,val=8,test=4 >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }

fail() { echo "check_program: $*" >&2; tail -n 20 "$work/log" >&2; exit 1; }
train() {  # run, epochs, arguments
  local run=$work/$1 epochs=$2
  shift 2
  "$laban" train --data "$work/dances" --device cuda --model r2plus1d_tiny --recipe none --no-floor --frames 4 --size 16 --batch 4 --epochs "$epochs" --seed 1 \
    --run "$run" "$@" >"$work/log" 2>&1
}
export_weights() {
  "$laban" export --checkpoint "$work/$1/last.safetensors" --output "$work/$1.safetensors" >"$work/log" 2>&1 || fail "exporting $1"
}
equal() { export_weights "$1" && export_weights "$2" && cmp "$work/$1.safetensors" "$work/$2.safetensors"; }
same() { equal "$1" "$2" || fail "$1 and $2 end in other weights"; echo "$1 and $2: the same weights"; }

for precision in f32 bf16; do
  train recorded_$precision 2 --precision $precision || fail "training in $precision"
  train single_$precision 2 --precision $precision --no-graph || fail "training in $precision, --no-graph"
  same recorded_$precision single_$precision
  train checked_$precision 1 --precision $precision --check 1 || fail "--check in $precision"
  grep -q 'conv.backward_weights .* dw ' "$work/log" || fail "--check in $precision has not compared convolutions"
  echo "every op of a step in $precision agrees with the reference"
done

# Or else "the same" would say nothing.
train other 2 --precision f32 --lr 0.011 || fail "training with another learning rate"
! equal recorded_f32 other >/dev/null || fail "the learning rate makes no difference"

# Stopped after its first epoch, and resumed.
train whole 4 --precision bf16 || fail "training for 4 epochs"
train resumed 4 --precision bf16 & training=$!
until grep -qs '"kind":"epoch"' "$work/resumed/metrics.jsonl"; do
  kill -0 $training 2>/dev/null || fail "it ended before it could be stopped"
  sleep 0.05
done
pkill -INT -P $training || fail "it ended before it could be stopped"
wait $training || true
[ "$(grep -c '"kind":"epoch"' "$work/resumed/metrics.jsonl")" -lt 4 ] || fail "nothing was left to resume"
"$laban" train --resume "$work/resumed" >"$work/log" 2>&1 || fail "resuming"
same whole resumed

"$laban" eval --run "$work/whole" --data "$work/dances" --split val --device cuda --views 2 >"$work/log" 2>&1 || fail "evaluating"
accuracy() { grep -m 1 ' accuracy ' "$1"; }
stood_in=$(accuracy "$work/log")
"$laban" eval --run "$work/whole" --data "$work/dances" --split val --device reference --views 2 >"$work/log" 2>&1 || fail "evaluating"
[ "$stood_in" = "$(accuracy "$work/log")" ] || fail "another accuracy than the reference's: $stood_in"
echo "evaluated:$stood_in, as by the reference"
