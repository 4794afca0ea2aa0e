#!/bin/sh
# usage: check_new_op.sh COMPILER SOURCE_DIR: a new op compiles, and without any of its parts it does not, for the
# reason that is expected (tests/compile/new_op.cpp).
compiler=$1
source=$2
failed=0

compile() { "$compiler" -std=c++20 -fsyntax-only -I"$source/src" "$@" "$source/tests/compile/new_op.cpp" 2>&1; }

if ! output=$(compile); then
  printf 'the whole op does not compile:\n%s\n' "$output"
  exit 1
fi
check() { # what is left out, what the compiler must say
  if output=$(compile "-D$1"); then
    printf '%s: it compiles\n' "$1"
    failed=1
  elif ! printf '%s' "$output" | grep -qF "$2"; then
    printf '%s: no "%s" in\n%s\n' "$1" "$2" "$output"
    failed=1
  fi
}
check WITHOUT_NAME "This op has no name."
check WITHOUT_TENSORS "This op does not tell its tensors."
check WITHOUT_COST "This op has no cost."
check WITHOUT_KERNEL "This op has no kernel."
check WITHOUT_SCRATCH "This op's kernel takes scratch, but nobody says how much."
check WITHOUT_RUN "abstract class type"
exit $failed
