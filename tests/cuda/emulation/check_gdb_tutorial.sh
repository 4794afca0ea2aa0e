#!/bin/sh
# Follows the section "Debugging a kernel in gdb" of docs/emulation.md: types its commands, and compares what gdb
# answers with what the page shows. One of the tests.
#
#   check_gdb_tutorial.sh PROGRAM PAGE
#
# PROGRAM: laban_test_cuda_emulated, of which at least batch_norm_train.cu was built without optimization.
# Exits with 77 where there is no gdb, or where it may not trace.
set -eu
program=$1 page=$2
command -v gdb >/dev/null || { echo "gdb is not installed: the tutorial was not followed"; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
section() { awk '/^## Debugging a kernel in gdb/ { on = 1; next } /^## / { on = 0 } on' "$page"; }
section | sed -n 's/^    (gdb) //p' >"$folder/commands"
case_name=$(section | sed -n 's/.*--test-case="\(.*\)"$/\1/p')
[ -s "$folder/commands" ] && [ -n "$case_name" ] || { echo "$page: the tutorial has no commands"; exit 1; }

# Every command is announced, so that its answer can be told from the next one's.
{
  echo "set pagination off"
  echo "set width 0"
  echo "set style enabled off"
  while IFS= read -r command; do
    printf 'echo \\n(gdb) %s\\n\n%s\n' "$command" "$command"
  done <"$folder/commands"
  echo "kill"
} >"$folder/script"
timeout 300 gdb -nx -batch -x "$folder/script" --args "$program" --test-case="$case_name" >"$folder/said" 2>&1 || true
if grep -qE 'ptrace: Operation not permitted|Could not trace the inferior|Cannot create process' "$folder/said"; then
  echo "gdb may not trace programs here: the tutorial was not followed"
  exit 77
fi

# What the page shows, word by word, but for addresses, for what it leaves out (…), and for gdb's white space.
section | sed -n '/^    (gdb)/,/^[^ ]/p' | sed -n 's/^    //p' | grep -v '^(gdb)' | grep -v '^ *$' >"$folder/shown"
normal() { sed -E 's/@?0x[0-9a-f]+/@/g; s/[[:space:]]+/ /g; s/^ //; s/ $//'; }
normal <"$folder/said" >"$folder/answers"
failed=0
normal <"$folder/shown" >"$folder/expected"
while IFS= read -r line; do
  rest=$line
  found=$(cat "$folder/answers")
  while [ -n "$rest" ]; do
    case $rest in
      *…*) part=${rest%%…*} rest=${rest#*…} ;;
      *) part=$rest rest= ;;
    esac
    [ -z "$part" ] || found=$(printf '%s\n' "$found" | grep -F -- "$part" || true)
  done
  [ -n "$found" ] || { echo "the page shows, gdb does not say:  $line"; failed=1; }
done <"$folder/expected"
[ "$failed" = 0 ] || { echo "gdb said:"; cat "$folder/said"; exit 1; }
echo "followed: $(wc -l <"$folder/commands") commands, $(wc -l <"$folder/expected") lines as the page shows them"
