#!/bin/sh
# Counts the instructions of laban_counts' ops with callgrind and compares them with those that are tracked for this compiler,
# counts-gcc-MAJOR.txt: more than 2 % away fails. Exits with 77 (skipped) without valgrind or without such a file.
#
#   tests/counts/compare.sh PROGRAM COMPILER
#   tests/counts/compare.sh --update PROGRAM COMPILER     writes the file instead
set -eu
update=0
if [ "${1:-}" = --update ]; then
  update=1
  shift
fi
[ $# -eq 2 ] || { echo "usage: tests/counts/compare.sh [--update] PROGRAM COMPILER" >&2; exit 2; }
program=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
skip() { echo "counts: skipped: $1"; exit 77; }
command -v valgrind >/dev/null 2>&1 || skip "valgrind is not installed"
grep -qm 1 '^flags.*\<avx2\>' /proc/cpuinfo || skip "this processor has no AVX2, or it is no x86-64"
kind=clang
"$2" --version | grep -qi clang || kind=gcc
tracked=$here/counts-$kind-$("$2" -dumpversion | cut -d. -f1).txt
[ $update = 1 ] || [ -f "$tracked" ] || skip "$tracked is missing: nobody has counted with this compiler"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# One dump after every op, of that op alone; the last one, without a number, is what comes after all of them.
valgrind --tool=callgrind --collect-atstart=no --toggle-collect=laban_counted_op \
  --dump-after=laban_counted_op --callgrind-out-file="$work/out" "$program" >"$work/names" 2>"$work/log" || { cat "$work/log"; exit 1; }
number=0
while read -r name; do
  number=$((number + 1))
  count=$(sed -n 's/^\(summary\|totals\): //p' "$work/out.$number" | head -n 1)
  [ "${count:-0}" -gt 1000 ] || { echo "counts: $name: callgrind has counted ${count:-nothing}"; exit 1; }
  echo "$name $count"
done <"$work/names" >"$work/counts"

if [ $update = 1 ]; then
  { echo "# Instructions of one call, AVX2, one thread; compared by compare.sh. Written by \`make counts\`."; cat "$work/counts"; } >"$tracked"
  cat "$tracked"
  exit 0
fi
awk 'NR == FNR { if ($1 != "#") before[$1] = $2; next }
  !($1 in before) { print $1 ": " $2 " instructions; no tracked count"; failed = 1; next }
  { change = 100 * ($2 / before[$1] - 1); printf "%-24s %11d  %+.2f %%\n", $1, $2, change
    if (change > 2 || change < -2) failed = 1; seen[$1] = 1 }
  END { for (name in before) if (!(name in seen)) { print name ": is tracked, but no longer counted"; failed = 1 }
        exit failed }' "$tracked" "$work/counts" || {
  echo "counts: more than 2 % away from $(basename "$tracked"). If that is meant, run make counts and commit the file with a reason."
  exit 1
}
