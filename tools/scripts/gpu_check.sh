#!/usr/bin/env bash
# Everything that only a GPU can show, in one go: correctness first, then speed.
#
#   tools/scripts/gpu_check.sh [--out DIR] [--only GROUP,...] [--batches "N ..."] [--limit SECONDS] [--quick] [--bin DIR]
#
#   --out DIR       where gpu-check.txt (to read), .json (to compute with) and .log (all output) go   [runs/gpu-check]
#   --only GROUPS   of: ops networks training sanitize bench                                          [all of them]
#   --batches "N"   batch sizes of the benches                                                        [8 32 64]
#   --limit S       seconds after which a part counts as failed                                       [900]
#   --quick         the same as --only ops,networks,training,bench --batches 32
#   --bin DIR       the folder of laban and laban_test_gpu                                  [build, or that of a bundle]
#
# Each part is reported as ok, FAILED or skipped, and the JSON is complete after each; the exit status is 1 where one failed.
# Parts go on after a failure. Convolution plans that were found by timing stay in --out, for the next call.
set -uo pipefail
cd "$(dirname "$0")/../.."

usage() { sed -n '4s/^# *//p' tools/scripts/gpu_check.sh >&2; exit 2; }
out=runs/gpu-check bin=build only=ops,networks,training,sanitize,bench batches="8 32 64" limit=900
while [ $# -gt 0 ]; do
  case $1 in
  --quick) only=ops,networks,training,bench batches=32 && shift && continue ;;
  --out | --only | --batches | --limit | --bin) [ $# -ge 2 ] || usage ;;
  *) usage ;;
  esac
  case $1 in
  --out) out=$2 ;;
  --only) only=$2 ;;
  --batches) batches=$2 ;;
  --limit) limit=$2 ;;
  --bin) bin=$2 ;;
  esac
  shift 2
done
for group in ${only//,/ }; do
  case $group in ops | networks | training | sanitize | bench) ;; *) echo "gpu_check: --only $group: there is no such group" >&2; usage ;; esac
done
laban=$bin/laban
tests=$bin/laban_test_gpu
for program in "$laban" "$tests"; do
  [ -x "$program" ] || { echo "gpu_check: $program is missing; build it with CUDA (make), or unpack a bundle" >&2; exit 2; }
done
mkdir -p "$out"
out=$(realpath "$out")
export LABAN_GPU_REQUIRED=1 XDG_CACHE_HOME=$out
text=$out/gpu-check.txt json=$out/gpu-check.json log=$out/gpu-check.log work=$out/work
rm -rf "$work" && mkdir -p "$work"
: >"$text" >"$log"
parts=() benches=() failed=0
trap 'rm -rf "$work"' EXIT

say() { printf '%s\n' "$*" | tee -a "$text"; }
wanted() { [[ ,$only, == *,$1,* ]]; }
quoted() { printf '"%s"' "$(printf '%s' "$1" | tr '\t\n\r' '   ' | tr -d '\000-\037' | sed 's/\\/\\\\/g; s/"/\\"/g')"; }
join() { local IFS=,; printf '%s' "$*"; }
write_json() {
  printf '{"version": %s, "gpu": %s, "date": "%s", "ok": %s, "parts": [%s], "benches": [%s]}\n' \
    "$(quoted "$version")" "$(quoted "$gpu")" "$(date -u +%Y-%m-%d)" \
    "$([ $failed = 0 ] && echo true || echo false)" "$(join "${parts[@]}")" "$(join "${benches[@]}")" >"$json.tmp"
  mv "$json.tmp" "$json"
}

part() {  # name, command...
  local name=$1 start seconds code=0 status=ok
  shift
  say "" && say "== $name" && say "   $*"
  start=$(date +%s)
  timeout -k 10 "$limit" "$@" >"$work/part.log" 2>&1 || code=$?
  seconds=$(($(date +%s) - start))
  { printf '\n== %s\n' "$name"; cat "$work/part.log"; } >>"$log"
  tail -n 40 "$work/part.log" | tee -a "$text"
  [ $code = 0 ] || { failed=1 && status=FAILED; }
  say "   $status after $seconds s$([ $code = 0 ] || [ $code = 1 ] || echo " (exit status $code)")$([ $code != 124 ] || echo ": more than --limit $limit")"
  parts+=("{\"name\": $(quoted "$name"), \"status\": \"$status\", \"seconds\": $seconds}")
  write_json
  [ $code = 0 ]
}
skip() {
  say "" && say "== $1" && say "   skipped: $2" && parts+=("{\"name\": $(quoted "$1"), \"status\": \"skipped\", \"why\": $(quoted "$2")}")
  write_json
}

bench() {  # arguments of laban bench: one JSON object each
  local result
  say "" && say "== laban bench $*"
  if result=$(timeout -k 10 "$limit" "$laban" bench "$@" --json 2>"$work/part.log"); then
    say "   $result" && benches+=("{\"command\": $(quoted "laban bench $*"), \"result\": $result}")
  else
    failed=1 && say "   FAILED: $(cat "$work/part.log")" && benches+=("{\"command\": $(quoted "laban bench $*"), \"failed\": $(quoted "$(cat "$work/part.log")")}")
  fi
  write_json
}

# Training through the program: two whole runs, and one that is stopped after its first epoch and resumed. What they end with
# is compared as exported weights: checkpoints also tell how long they took.
train() { exec "$laban" train --data "$work/dances" --recipe none --no-floor --device cuda --precision bf16 --epochs 8 --batch 8 --seed 1 --run "$1"; }
same_weights() {
  "$laban" export --checkpoint "$1/last.safetensors" --output "$1.safetensors" &&
    "$laban" export --checkpoint "$2/last.safetensors" --output "$2.safetensors" && cmp "$1.safetensors" "$2.safetensors"
}
stop_and_resume() {
  local training epochs
  train "$1" & training=$!
  until grep -qs '"kind":"epoch"' "$1/metrics.jsonl"; do
    kill -0 $training 2>/dev/null || { wait $training; echo "it ended before it could be stopped"; return 1; }
    sleep 0.02
  done
  kill -INT $training
  wait $training
  epochs=$(grep -c '"kind":"epoch"' "$1/metrics.jsonl")
  echo "stopped after $epochs of 8 epochs"
  [ "$epochs" -lt 8 ] || { echo "nothing was left to resume"; return 1; }
  "$laban" train --resume "$1"
}
export laban work
export -f train same_weights stop_and_resume

version=$("$laban" --version | awk '{print $2}')
gpu=$("$laban" describe --gpu 0 2>&1) || { echo "$gpu" >&2; exit 1; }
say "laban $version on $gpu"
say "$(date -u +%Y-%m-%d)"
write_json

if wanted ops; then
  part "ops against the reference in f64, f32 / tf32 / bf16" "$tests" --test-case='*op*,*convolution*'
fi
if wanted networks; then
  part "gradients of layers and families, through laban" "$laban" gradcheck --backend cuda
  part "networks: gradients, twenty steps, graphs, determinism" "$tests" --test-case-exclude='*op in*,*convolution*'
fi
if wanted training; then
  if part "videos to train on" "$laban" synth "$work/dances" --split train=64,val=16,test=8; then
    part "every op of two steps on them against the reference" \
      "$laban" train --data "$work/dances" --recipe none --no-floor --device cuda --epochs 1 --batch 4 --check 2 --run "$work/checked"
    part "training on the GPU, uninterrupted" bash -c 'train "$work/whole"'
    part "the same again" bash -c 'train "$work/again"'
    part "both end in the same weights" bash -c 'same_weights "$work/whole" "$work/again"'
    part "stopped after an epoch, and resumed" bash -c 'stop_and_resume "$work/resumed"'
    part "resumed is uninterrupted" bash -c 'same_weights "$work/whole" "$work/resumed"'
  fi
fi
if wanted sanitize; then
  sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null)
  if [ -z "$sanitizer" ]; then
    skip "compute-sanitizer" "it is not installed here"
  else
    # Of laban's kernels alone, where this version can choose: the libraries' own are not what is asked about. Their probes of
    # the driver fail by design, hence no API errors; those of laban are all checked by itself.
    filter=(--kernel-name kernel_substring=laban)
    "$sanitizer" "${filter[@]}" "$tests" --test-case='no such case' >/dev/null 2>&1 || filter=()
    part "memcheck over the op cases" "$sanitizer" --tool memcheck --report-api-errors no "${filter[@]}" --error-exitcode 9 \
      "$tests" --test-case='*op in*'
    part "racecheck over the op cases" "$sanitizer" --tool racecheck --racecheck-detect-level error "${filter[@]}" --error-exitcode 9 \
      "$tests" --test-case='*op in bf16*'
  fi
fi
if wanted bench; then
  shape=(--device cuda --autotune --frames 16 --size 112)
  for model in r2plus1d_18 r3d_18 mc3_18 resnet3d_50; do
    for batch in $batches; do bench step "${shape[@]}" --precision bf16 --model $model --batch "$batch" --steps 20; done
    bench ops "${shape[@]}" --precision bf16 --model $model --batch 32 --steps 5
  done
  bench step "${shape[@]}" --precision bf16 --no-graph --model r2plus1d_18 --batch 8 --steps 20
  bench step "${shape[@]}" --precision tf32 --model r2plus1d_18 --batch 32 --steps 10
  bench ladder --device cuda
fi

say "" && say "$([ $failed = 0 ] && echo 'All parts passed.' || echo 'Some parts FAILED: look for FAILED above.')"
echo "Report: $text, $json; all output: $log"
exit $failed
