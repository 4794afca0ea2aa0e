#!/usr/bin/env bash
# Installs laban into a folder of its own and builds a program outside of this tree against it: by find_package with the shared
# and with the static library, by pkg-config, and within a larger project by add_subdirectory (configured only).
# Arguments: laban's build folder, the C++ compiler.
set -euo pipefail
build=$(realpath "$1") compiler=$2
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
quietly() { "$@" >"$work/log" 2>&1 || { cat "$work/log"; echo "check_install: $1 failed"; exit 1; }; }

quietly cmake --install "$build" --prefix "$work/installed"
# Moved after it was installed: no file of the package may know where it was.
mv "$work/installed" "$work/elsewhere"
prefix=$work/elsewhere
version=$("$prefix/bin/laban" --version | awk '{print $2}')

# No public header needs another library's, and each is found from include/laban.
if grep -rnE '^#include <(nlohmann|CLI|toml|libav|libsw|turbojpeg|oneapi|omp|stb|cuda|cudnn)' "$prefix/include"; then
  echo "check_install: these installed headers need another library's"
  exit 1
fi
(cd "$prefix/include/laban" && grep -rhoE '^#include "[^"]+"' . | sed 's/#include "//; s/"//' | sort -u | while read -r header; do
  [ -f "$header" ] || { echo "check_install: $header is included, but not installed"; exit 1; }
done)

quietly cmake -S "$here" -B "$work/package" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_CXX_COMPILER="$compiler"
quietly cmake --build "$work/package"
for linked in shared static; do
  "$work/package/consumer_$linked" >"$work/said"
  grep -qx 'r2plus1d_18: 31505325 parameters' "$work/said" || { cat "$work/said"; echo "check_install: consumer_$linked said that"; exit 1; }
done
# Into files, not pipes: grep -q ends at its first match, and pipefail would take the writer's SIGPIPE for a failure.
ldd "$work/package/consumer_shared" >"$work/shared"
ldd "$work/package/consumer_static" >"$work/static"
grep -q "liblaban.so.* => $prefix/" "$work/shared" || { echo "check_install: the shared library is not what consumer_shared uses"; exit 1; }
if grep -q liblaban "$work/static"; then echo "check_install: consumer_static uses the shared library"; exit 1; fi

folder=$(dirname "$(find "$prefix" -name laban.pc)")
export PKG_CONFIG_PATH=$folder
[ "$(pkg-config --modversion laban)" = "$version" ] || { echo "check_install: laban.pc has another version than the program, $version"; exit 1; }
# shellcheck disable=SC2046 # flags are meant to be split
quietly "$compiler" "$here/consumer.cpp" -o "$work/consumer" $(pkg-config --cflags --libs laban)
LD_LIBRARY_PATH=$(pkg-config --variable=libdir laban) "$work/consumer" >"$work/said"
grep -qx 'r2plus1d_18: 31505325 parameters' "$work/said"

# A project that has laban as a folder of its own: laban's warnings, tests and installation must stay out of it.
mkdir "$work/larger"
cat >"$work/larger/CMakeLists.txt" <<CMAKE
cmake_minimum_required(VERSION 3.25)
project(larger LANGUAGES C CXX)
add_subdirectory($root laban)
add_executable(consumer $here/consumer.cpp)
target_link_libraries(consumer PRIVATE laban::laban_static)
get_target_property(options laban_core INTERFACE_COMPILE_OPTIONS)
if(options)
  message(FATAL_ERROR "laban_core gives its compiler options to others: \${options}")
endif()
if(TARGET laban_test_core)
  message(FATAL_ERROR "laban's tests are built by a project that only uses it")
endif()
CMAKE
quietly cmake -S "$work/larger" -B "$work/larger/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DLABAN_CUDA=OFF -DCMAKE_CXX_COMPILER="$compiler"
echo "check_install: laban $version works installed, moved, shared, static, by pkg-config and as a subdirectory"
