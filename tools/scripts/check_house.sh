#!/bin/sh
# Rules that no compiler checks: who may include whom, which libraries stay in which room, that libraries do not
# print, and the format. One line per breach; exits with 1 where there is any. Runs among the tests.
set -eu
cd "$(dirname "$0")/../.."
breaches=$(mktemp)
trap 'rm -f "$breaches"' EXIT

# room: the rooms that its files may include from (its own, always).
allowed() {
  case $1 in
  math) echo "" ;;
  core) echo "math" ;;
  reference) echo "core math" ;;
  cpu) echo "core math reference" ;;
  cuda) echo "core math" ;;
  layers) echo "core" ;;
  models) echo "core layers" ;;
  weights) echo "core layers models" ;;
  data) echo "core" ;;
  train) echo "core math layers models data" ;;
  esac
}

for room in math core reference cpu cuda layers models weights data train; do
  may="$room $(allowed $room)"
  for other in math core reference cpu cuda layers models weights data train; do
    case " $may " in *" $other "*) continue ;; esac
    grep -rnE "^#include \"$other/" "src/$room" 2>/dev/null | sed "s|\$|   <- src/$room may not include src/$other|" >>"$breaches" || true
  done
done

only_in() {  # pattern of headers, the one room where they may appear
  grep -rnE "^#include [<\"]$1" src tools --include='*.h' --include='*.cpp' --include='*.cu' | grep -v "^src/$2/" |
    sed "s|\$|   <- only src/$2 may include this|" >>"$breaches" || true
}
only_in 'oneapi/|dnnl' cpu
only_in 'libav|libsw' data
only_in 'turbojpeg|jpeglib' data
only_in 'cuda_runtime|cudnn|cublas' cuda

# The command line is described in our own words (tools/command_line), and they know of nothing but core.
grep -rnE '^#include <CLI/' src tools tests --include='*.h' --include='*.cpp' |
  sed 's|$|   <- describe flags with tools/command_line|' >>"$breaches" || true
grep -rnE '^#include "' tools/command_line | grep -vE '"(command_line|core)/' |
  sed 's|$|   <- tools/command_line may include only core|' >>"$breaches" || true

grep -rnE 'std::(cout|cerr|clog)|[^n]printf\(|(^|[^a-zA-Z_])puts\(' src --include='*.h' --include='*.cpp' --include='*.cu' |
  sed 's|$|   <- libraries do not print|' >>"$breaches" || true

# The format is clang-format 14's; other versions differ in details, so they are not asked.
if clang-format --version 2>/dev/null | grep -q 'version 14\.'; then
  find src tests tools -name '*.h' -o -name '*.cpp' -o -name '*.cu' | xargs clang-format --dry-run -Werror 2>&1 | grep 'error:' |
    sed 's|: error:.*|   <- not in clang-format; run make format|' | sort -u -t: -k1,1 >>"$breaches" || true
else
  echo "check_house: clang-format 14 is not installed; the format was not checked"
fi

if [ -s "$breaches" ]; then
  cat "$breaches"
  exit 1
fi
echo "check_house: the rooms are tidy"
