#!/usr/bin/env bash
# The main job, end to end: draw the dances, train on them, measure, do the same with the control, report.
#
#   tools/demo/demo.sh PROGRAM [SEED]     PROGRAM: a built laban, usually build/laban; SEED: of dances and training, 1
#
# The videos go to data/demo (kept for another run), everything else to runs/demo (made anew).
# DEMO_STARTED (seconds since 1970), where set, is when the work began: summary.json counts from there.
set -euo pipefail

[ $# -ge 1 ] || { echo "usage: tools/demo/demo.sh PROGRAM [SEED]" >&2; exit 2; }
laban=$(realpath "$1")
seed=${2:-1}
cd "$(dirname "$0")/../.."
started=${DEMO_STARTED:-$(date +%s)}

dances=data/demo
run=runs/demo
control=runs/demo/control
[ "$seed" = 1 ] || dances=data/demo-$seed

step() { printf '\n== %s\n' "$1"; }

step "1/5  Ten dances, told apart by their motion alone -> $dances"
"$laban" synth "$dances" --split train=400,val=50,test=150 --seed "$seed"

step "2/5  Training from the video files -> $run"
rm -rf "$run"
"$laban" train --config tools/demo/demo.toml --data "$dances" --seed "$seed" --run "$run"
"$laban" eval --run "$run" --views 4

step "3/5  The control: the same, but every clip shows one of its frames throughout -> $control"
"$laban" train --config tools/demo/demo.toml --data "$dances" --seed "$seed" --run "$control" --single-frame
"$laban" eval --run "$control" --single-frame --views 4

step "4/5  Report"
"$laban" report "$run" --control "$control" --summary "$run/summary.json" --seconds $(($(date +%s) - started))

step "5/5  Result"
cat "$run/summary.json"
echo
echo "Open $run/report.html in a browser."
