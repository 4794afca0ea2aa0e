#!/bin/sh
# The CPU backend on another processor: its kernels for aarch64 (NEON), compiled by Debian's cross compiler, and the tests of
# src/cpu run by qemu. Needs g++-aarch64-linux-gnu and qemu-user (apt), doctest and nlohmann-json; exits with 77 where one is
# missing. The tests take minutes: qemu interprets every vector.
#
#   tools/scripts/check_aarch64.sh [BUILD [TEST...]]      BUILD: a folder to build in (build-aarch64); TEST: cases, as doctest
#                                                         filters them (all)
set -eu
cd "$(dirname "$0")/../.."
build=${1:-build-aarch64}
[ $# -eq 0 ] || shift
for needed in aarch64-linux-gnu-g++ qemu-aarch64; do
  command -v "$needed" >/dev/null 2>&1 || { echo "check_aarch64: skipped: $needed is missing"; exit 77; }
done
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DLABAN_CPU_ONLY=ON -DLABAN_WERROR=ON \
  -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
  -DCMAKE_C_COMPILER=aarch64-linux-gnu-gcc -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ >/dev/null
cmake --build "$build" -j "$(nproc)"
sh tests/cpu/check_kernel_symbols.sh neon "$build/kernels_neon.o"
filter=
for name in "$@"; do filter=${filter:+$filter,}$name; done
exec qemu-aarch64 -L /usr/aarch64-linux-gnu "$build/laban_test_cpu" ${filter:+"--test-case=$filter"}
