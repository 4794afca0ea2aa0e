#!/bin/sh
# Whatever the object of the kernels defines for other objects must lie in the namespace of their instruction set, or be made for a
# type of it. Anything else, an inline function of the standard library say, could become the one copy that the whole program
# uses, and stop it on a processor without those instructions.
#
#   tests/cpu/check_kernel_symbols.sh ISA OBJECT
set -eu
[ $# -eq 2 ] || { echo "usage: tests/cpu/check_kernel_symbols.sh ISA OBJECT" >&2; exit 2; }
isa=$1
# As a mangled name has it: laban::cpu::avx2 is 5laban3cpu4avx2.
inside="5laban3cpu${#isa}$isa"
defined=$(mktemp)
trap 'rm -f "$defined" "$defined.outside"' EXIT
nm --defined-only --extern-only "$2" | sed 's/^[^ ]* //' >"$defined"
[ -s "$defined" ] || { echo "the kernels for $isa define nothing"; exit 1; }
if grep -v "$inside" "$defined" >"$defined.outside"; then
  echo "kernels for $isa define these for the whole program:"
  sort -u "$defined.outside" | c++filt | sed 's/^/  /' | head -n 20
  exit 1
fi
echo "kernels for $isa: $(wc -l <"$defined") symbols, all in their namespace"
