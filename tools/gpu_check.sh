#!/usr/bin/env bash
# Everything that only a GPU can show, in one go: correctness first, then speed.
#
#   tools/gpu_check.sh [--out DIR] [--quick] [--bin DIR]
#
#   --out DIR    where gpu-check.txt and gpu-check.json go   [runs/gpu-check]
#   --quick      without compute-sanitizer and with fewer benches
#   --bin DIR    the folder of laban and laban_test_gpu      [build, or that of a bundle]
#
# Each part is reported as ok, FAILED or skipped; the exit status is 1 where one failed. Parts go on after a failure.
set -uo pipefail
cd "$(dirname "$0")/.."

out=runs/gpu-check bin=build quick=0
while [ $# -gt 0 ]; do
  case $1 in
  --out) out=$2 && shift 2 ;;
  --bin) bin=$2 && shift 2 ;;
  --quick) quick=1 && shift ;;
  *) echo "usage: tools/gpu_check.sh [--out DIR] [--quick] [--bin DIR]" >&2 && exit 2 ;;
  esac
done
laban=$bin/laban
tests=$bin/laban_test_gpu
for program in "$laban" "$tests"; do
  [ -x "$program" ] || { echo "gpu_check: $program is missing; build it with CUDA (make), or unpack a bundle" >&2; exit 2; }
done
export LABAN_GPU_REQUIRED=1 OMP_WAIT_POLICY=passive
mkdir -p "$out"
text=$out/gpu-check.txt
json=$out/gpu-check.json
: >"$text"
parts=() benches=() failed=0

say() { printf '%s\n' "$*" | tee -a "$text"; }
quoted() { printf '"%s"' "$(printf '%s' "$1" | tr '\n' ' ' | sed 's/\\/\\\\/g; s/"/\\"/g')"; }

part() {  # name, command...
  local name=$1 start seconds status=ok
  shift
  say "" && say "== $name" && say "   $*"
  start=$(date +%s)
  "$@" >"$out/part.log" 2>&1 || status=FAILED
  seconds=$(($(date +%s) - start))
  tail -n 40 "$out/part.log" | tee -a "$text"
  [ $status = ok ] || failed=1
  say "   $status after $seconds s"
  parts+=("{\"name\": $(quoted "$name"), \"status\": \"$status\", \"seconds\": $seconds}")
}
skip() { say "" && say "== $1" && say "   skipped: $2" && parts+=("{\"name\": $(quoted "$1"), \"status\": \"skipped\", \"why\": $(quoted "$2")}"); }

bench() {  # arguments of laban bench: one JSON object each
  local result
  say "" && say "== laban bench $*"
  if result=$("$laban" bench "$@" --json 2>"$out/part.log"); then
    say "   $result" && benches+=("{\"command\": $(quoted "laban bench $*"), \"result\": $result}")
  else
    failed=1 && say "   FAILED: $(cat "$out/part.log")" && benches+=("{\"command\": $(quoted "laban bench $*"), \"failed\": $(quoted "$(cat "$out/part.log")")}")
  fi
}

card=$("$laban" describe --gpu 0 2>&1) || { echo "$card" >&2; exit 1; }
say "laban $("$laban" --version | awk '{print $2}') on $card"
say "$(date -u +%Y-%m-%d)"

part "ops against the reference in f64, f32 / tf32 / bf16" "$tests" --test-case='*op*,*convolution*'
part "gradients of layers and families, through laban" "$laban" gradcheck --backend cuda
part "networks: gradients, twenty steps, graphs, determinism" "$tests" --test-case-exclude='*op in*,*convolution*'
clips=../shared/clips/shapes
if [ -d "$clips" ]; then
  part "training on the GPU, uninterrupted" "$laban" train --data "$clips" --device cuda --precision bf16 --epochs 4 --run "$out/whole"
  part "the same again" "$laban" train --data "$clips" --device cuda --precision bf16 --epochs 4 --run "$out/again"
  part "both end in the same weights" cmp "$out/whole/last.safetensors" "$out/again/last.safetensors"
  part "stopped after two seconds" bash -c "timeout -s INT 2 '$laban' train --data '$clips' --device cuda --precision bf16 --epochs 4 --run '$out/resumed'; [ -f '$out/resumed/last.safetensors' ]"
  part "resumed" "$laban" train --resume "$out/resumed"
  part "resumed is uninterrupted" cmp "$out/whole/last.safetensors" "$out/resumed/last.safetensors"
else
  skip "training, resume and determinism through the program" "$clips is not there"
fi
if [ $quick = 1 ]; then
  skip "compute-sanitizer" "--quick"
elif ! command -v compute-sanitizer >/dev/null; then
  skip "compute-sanitizer" "it is not installed here"
else
  part "memcheck over the op cases" compute-sanitizer --tool memcheck --error-exitcode 9 "$tests" --test-case='*op in*'
  part "racecheck over the op cases" compute-sanitizer --tool racecheck --error-exitcode 9 "$tests" --test-case='*op in bf16*'
fi

shape="--frames 16 --size 112"
for model in r2plus1d_18 r3d_18 mc3_18 resnet3d_50; do
  for batch in $([ $quick = 1 ] && echo 32 || echo 8 32 64); do
    # shellcheck disable=SC2086 # the shape is meant to be split
    bench step --device cuda --precision bf16 --autotune --model $model $shape --batch "$batch" --steps 20
  done
  # shellcheck disable=SC2086
  bench ops --device cuda --precision bf16 --autotune --model $model $shape --batch 32 --steps 5
done
# shellcheck disable=SC2086
bench step --device cuda --precision bf16 --autotune --no-graph --model r2plus1d_18 $shape --batch 8 --steps 20
# shellcheck disable=SC2086
bench step --device cuda --precision tf32 --autotune --model r2plus1d_18 $shape --batch 32 --steps 10
"$laban" bench ladder --help >/dev/null 2>&1 && bench ladder

join() { local IFS=,; printf '%s' "$*"; }
printf '{"version": %s, "card": %s, "date": "%s", "ok": %s, "parts": [%s], "benches": [%s]}\n' \
  "$(quoted "$("$laban" --version | awk '{print $2}')")" "$(quoted "$card")" "$(date -u +%Y-%m-%d)" \
  "$([ $failed = 0 ] && echo true || echo false)" "$(join "${parts[@]}")" "$(join "${benches[@]}")" >"$json"
rm -f "$out/part.log"
say "" && say "$([ $failed = 0 ] && echo 'All parts passed.' || echo 'Some parts FAILED: look for FAILED above.')"
echo "Report: $text and $json"
exit $failed
