#!/bin/sh
# Rules that no compiler checks: who may include whom (cmake/modules.txt), which libraries stay in which module, that libraries
# do not print, the format, and the subjects of commits. One line per violation; exits with 1 if there is any. One of the
# tests.
#
#   tools/scripts/check_house.sh            everything
#   tools/scripts/check_house.sh FILE...    these files' format and width only (for a pre-commit hook)
set -eu
cd "$(dirname "$0")/../.."
violations=$(mktemp)
trap 'rm -f "$violations"' EXIT
report() {
  if [ -s "$violations" ]; then
    cat "$violations"
    exit 1
  fi
}

# The format is clang-format 14's; other versions differ in details, so they are not asked.
check_format() {  # files on stdin
  if clang-format --version 2>/dev/null | grep -q 'version 14\.'; then
    xargs -r clang-format --dry-run -Werror 2>&1 | grep 'error:' |
      sed 's|: error:.*|   <- not in clang-format; run make format|' | sort -u -t: -k1,1 >>"$violations" || true
  else
    echo "check_house: clang-format 14 is not installed; the format was not checked"
  fi
}
# Prose is wrapped at 100 columns. Tables, code, formulas, headings and lines without a place to break are as long as they are.
check_width() {  # files
  for document in "$@"; do
    awk '
      /^ *```/ { code = !code }
      { print code || formula || /^\$\$/ || /^    / || /^ *[|<`]/ || /^#/ ? "" : $0 }
      /\$\$/ { if (gsub(/\$\$/, "") % 2) formula = !formula }' "$document" |
      LC_ALL=C.UTF-8 grep -nE '^.{101,}' | grep -E '^[0-9]+: *([-*>]|[0-9]+\.)? *[^ ]+ ' |
      sed "s|^\([0-9]*\):.*|$document:\1:   <- longer than 100 columns|" >>"$violations" || true
  done
}

if [ $# -gt 0 ]; then
  for file in "$@"; do
    case $file in *.h | *.cpp | *.cu) echo "$file" ;; esac
  done | check_format
  for file in "$@"; do
    case $file in *.md) check_width "$file" ;; esac
  done
  report
  exit 0
fi

# modules.txt: the modules that a module's files may include from (its own, always).
modules=$(sed -n 's/^\([a-z]*\):.*/\1/p' cmake/modules.txt)
for module in $modules; do
  may="$module $(sed -n "s/^$module: *//p" cmake/modules.txt)"
  for other in $modules; do
    case " $may " in *" $other "*) continue ;; esac
    grep -rnE "^#include \"$other/" "src/$module" 2>/dev/null | sed "s|\$|   <- src/$module may not include src/$other|" >>"$violations" || true
  done
  # The table in docs/architecture.md says the same: | `src/core` | what is in it | math |
  sorted() { tr -s ', ' '\n\n' | sed '/^$/d; /^nothing$/d' | sort | xargs; }
  stated=$(sed -n "s/^| \`src\/$module\` |.*| *\([a-z, ]*\) |\$/\1/p" docs/architecture.md)
  [ -n "$stated" ] || echo "docs/architecture.md:   <- has no row for src/$module" >>"$violations"
  [ "$(echo "$stated" | sorted)" = "$(sed -n "s/^$module: *//p" cmake/modules.txt | sorted)" ] ||
    echo "docs/architecture.md:   <- says that src/$module may include: $stated; cmake/modules.txt says otherwise" >>"$violations"
done
for folder in src/*/; do
  grep -q "^$(basename "$folder"):" cmake/modules.txt || echo "$folder:   <- is not in cmake/modules.txt" >>"$violations"
done

only_in() {  # pattern of headers, the one module where they may appear
  grep -rnE "^#include [<\"]$1" src tools examples --include='*.h' --include='*.cpp' --include='*.cu' | grep -v "^src/$2/" |
    sed "s|\$|   <- only src/$2 may include this|" >>"$violations" || true
}
only_in 'libav|libsw' data
only_in 'turbojpeg|jpeglib' data
only_in 'cuda_runtime|cudnn|cublas' cuda

# Who cuts a mapped file short kills the program: files are read (core/file_bytes.h, core/regular_file.h).
grep -rlE '\bmmap(64)?\(' src tools examples --include='*.h' --include='*.cpp' --include='*.cu' |
  xargs -r grep -L MAP_ANONYMOUS | sed 's|$|:   <- reads files by mapping them|' >>"$violations" || true

# The command line is described in our own words (tools/command_line), and they know of nothing but core.
grep -rnE '^#include <CLI/' src tools tests --include='*.h' --include='*.cpp' |
  sed 's|$|   <- describe flags with tools/command_line|' >>"$violations" || true
grep -rnE '^#include <curl/' src tools examples --include='*.h' --include='*.cpp' | grep -v '^tools/download/' |
  sed 's|$|   <- only tools/download may include this|' >>"$violations" || true
grep -rnE '^#include "' tools/command_line | grep -vE '"(command_line|core)/' |
  sed 's|$|   <- tools/command_line may include only core|' >>"$violations" || true

grep -rnE 'std::(cout|cerr|clog)|[^n]printf\(|(^|[^a-zA-Z_])puts\(' src --include='*.h' --include='*.cpp' --include='*.cu' |
  sed 's|$|   <- libraries do not print|' >>"$violations" || true

find src tests tools examples -name '*.h' -o -name '*.cpp' -o -name '*.cu' | check_format
check_width README.md CHANGELOG.md docs/*.md docs/*/*.md

# Subjects of at most 72 characters, of all that builds on the commit that began with it. A checkout without that history has
# none to ask.
since=$(git log --format=%H --diff-filter=A -- cmake/modules.txt 2>/dev/null | tail -n 1)
if [ -n "$since" ]; then
  git log --no-merges --format='%h %s' --ancestry-path "$since..HEAD" 2>/dev/null | LC_ALL=C.UTF-8 grep -E '^[0-9a-f]+ .{73,}' |
    sed 's|^\([0-9a-f]*\) .*|\1:   <- the subject of this commit is longer than 72 characters|' >>"$violations" || true
else
  echo "check_house: no history here; the subjects of commits were not checked"
fi

report
echo "check_house: no violations"
