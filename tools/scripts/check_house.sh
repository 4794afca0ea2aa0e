#!/bin/sh
# Rules that no compiler checks: which module may include which, which libraries stay in which module, that libraries
# do not print, the format, and the docs' width. Prints one line per violation; exits with 1 if there is any. One of
# the tests.
set -eu
cd "$(dirname "$0")/../.."
violations=$(mktemp)
trap 'rm -f "$violations"' EXIT

# The modules that a module's files may include from, besides its own.
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

for module in math core reference cpu cuda layers models weights data train; do
  may="$module $(allowed $module)"
  for other in math core reference cpu cuda layers models weights data train; do
    case " $may " in *" $other "*) continue ;; esac
    grep -rnE "^#include \"$other/" "src/$module" 2>/dev/null | sed "s|\$|   <- src/$module may not include src/$other|" >>"$violations" || true
  done
done

only_in() {  # pattern of headers, the one module where they may appear
  grep -rnE "^#include [<\"]$1" src tools --include='*.h' --include='*.cpp' --include='*.cu' | grep -v "^src/$2/" |
    sed "s|\$|   <- only src/$2 may include this|" >>"$violations" || true
}
only_in 'oneapi/|dnnl' cpu
only_in 'libav|libsw' data
only_in 'turbojpeg|jpeglib' data
only_in 'cuda_runtime|cudnn|cublas' cuda

grep -rnE 'std::(cout|cerr|clog)|[^n]printf\(|(^|[^a-zA-Z_])puts\(' src --include='*.h' --include='*.cpp' --include='*.cu' |
  sed 's|$|   <- libraries do not print|' >>"$violations" || true

# The format is clang-format 14's; other versions differ in details, so they are not asked.
if clang-format --version 2>/dev/null | grep -q 'version 14\.'; then
  find src tests tools -name '*.h' -o -name '*.cpp' -o -name '*.cu' | xargs clang-format --dry-run -Werror 2>&1 | grep 'error:' |
    sed 's|: error:.*|   <- not in clang-format; run make format|' | sort -u -t: -k1,1 >>"$violations" || true
else
  echo "check_house: clang-format 14 is not installed; the format was not checked"
fi

# Prose in the docs is at most 100 columns wide. Tables, code, formulas, headings and HTML may be wider.
for page in README.md docs/*.md docs/*/*.md; do
  awk -v page="$page" '
    /^ *```/ { fenced = !fenced; next }
    fenced { next }
    formula || /^ *\$\$/ { if (gsub(/\$\$/, "") % 2) formula = !formula; next }
    /^    / && (blank || code) { code = 1; next }
    { code = 0; blank = /^ *$/ }
    /^ *[|<#]/ { next }
    /^ *([-*+]|[0-9]+\.)? *[^ ]+$/ { next } # one long word: nothing to break
    { print page ":" FNR ":" $0 }
  ' "$page"
done | LC_ALL=C.UTF-8 grep -E '^[^:]+:[0-9]+:.{101,}$' | cut -d: -f1,2 |
  sed 's|$|   <- wider than 100 columns; run tools/scripts/wrap_docs.py|' >>"$violations" || true

if [ -s "$violations" ]; then
  cat "$violations"
  exit 1
fi
echo "check_house: no violations"
