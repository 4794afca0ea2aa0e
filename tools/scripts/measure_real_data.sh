#!/usr/bin/env bash
# The table of docs/measurements/real-data.md: laban without flags, floors, and PyTorch, on data sets with three seeds each.
#
#   tools/scripts/measure_real_data.sh PROGRAM OUT NAME=DATA...
#
#   PROGRAM   a built laban            OUT   folder for runs and results; what is there is kept and not run again
#   NAME=DATA a folder or table with a test split; DATA "dances": the demo's, drawn into OUT/dances
#
#   tools/scripts/measure_real_data.sh build/laban /tmp/real tank=tank/split.csv station=tank/unseen_station.csv dances=dances
#
# MINUTES (15), SEEDS ("1 2 3"), BASELINE (tools/torch/baseline.py with python3; empty: without), FLAGS (more flags for
# laban train). One run at a time, at real-time priority where the system allows it (chrt -r 10); for figures, leave the
# machine alone meanwhile: with both programs it takes MINUTES x 2 x seeds x data sets.
set -euo pipefail

[ $# -ge 3 ] || { sed -n '2,14s/^# \{0,1\}//p' "$0" >&2; exit 2; }
laban=$(realpath "$1")
out=$2
shift 2
minutes=${MINUTES:-15}
seeds=${SEEDS:-1 2 3}
baseline=${BASELINE-python3 $(realpath "$(dirname "$0")")/../torch/baseline.py}
read -ra flags <<<"${FLAGS:-}"
mkdir -p "$out"
first=()
if chrt -r 10 true 2>/dev/null; then first=(chrt -r 10); fi

for entry in "$@"; do
  name=${entry%%=*}
  data=${entry#*=}
  if [ "$data" = dances ]; then
    data=$out/dances
    "$laban" synth "$data" --split train=400,val=50,test=150 --seed 1
  fi
  for seed in $seeds; do
    run=$out/$name-$seed
    if [ ! -f "$run/result.json" ]; then
      rm -rf "$run"
      begun=$(date +%s.%N)
      "${first[@]}" "$laban" train --data "$data" --run "$run" --seed "$seed" --minutes "$minutes" "${flags[@]}"
      seconds=$(python3 -c "import time; print(round(time.time() - $begun, 1))")
      rm -rf "$run/cache"
      "$laban" eval --run "$run" --data "$data" --split test
      python3 - "$run" "$seconds" "$seed" <<'PYTHON'
import json, sys
run, seconds, seed = sys.argv[1:]
test = json.load(open(f"{run}/evaluation_test.json"))
epochs = sum('"kind":"epoch"' in line for line in open(f"{run}/metrics.jsonl"))
floor = json.load(open(f"{run}/floor.json"))
best = max((m["splits"]["test"]["macro_f1"], m["splits"]["test"]["accuracy"], m["method"]) for m in floor["methods"])
json.dump({"program": "laban", "seed": int(seed), "seconds": float(seconds), "epochs": epochs, "test_clips": test["clips"],
           "test_accuracy": test["accuracy"], "test_macro_f1": test["macro_f1"], "floor": best}, open(f"{run}/result.json", "w"))
PYTHON
    fi
    if [ -n "$baseline" ] && [ ! -f "$run/torch.json" ]; then
      table=$data
      if [ -d "$data" ] && [ ! -f "$data/split.csv" ]; then
        table=$out/$name.csv
        "$laban" index "$data" -o "$table" >/dev/null
      fi
      # shellcheck disable=SC2086
      "${first[@]}" $baseline "$table" --seed "$seed" --minutes "$minutes" --json "$run/torch.json" ||
        echo "measure_real_data.sh: no baseline for $name, seed $seed" >&2
    fi
  done
done

python3 - "$out" "$minutes" "$@" <<'PYTHON'
import glob, json, statistics, sys
out, minutes, *entries = sys.argv[1:]
def cell(results, key):
    values = [r[key] for r in results]
    if not values:
        return "-"
    return f"{statistics.mean(values):.3f}" + (f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else "")
print(f"\n| data | program | accuracy | macro-F1 | epochs | seconds | runs |\n|---|---|---|---|---|---|---|")
for entry in entries:
    name = entry.split("=")[0]
    for program, file in (("laban, no flags", "result.json"), ("PyTorch", "torch.json")):
        results = [json.load(open(f)) for f in sorted(glob.glob(f"{out}/{name}-[0-9]*/{file}"))]
        if results:
            epochs = "/".join(str(r["epochs"]) for r in results)
            seconds = f"{statistics.mean(r['seconds'] for r in results):.0f}"
            print(f"| {name} | {program} | {cell(results, 'test_accuracy')} | {cell(results, 'test_macro_f1')} | {epochs} | {seconds} | {len(results)} |")
    floors = [json.load(open(f))["floor"] for f in sorted(glob.glob(f"{out}/{name}-[0-9]*/result.json"))]
    if floors:
        print(f"| {name} | floor: {floors[0][2]} | {floors[0][1]:.3f} | {floors[0][0]:.3f} | | | |")
PYTHON
