#!/bin/sh
# clang-tidy, with the checks of .clang-tidy, on the source files that have changed: those of the last commit and what has not
# been committed, or all since TIDY_BASE where that is set. Exits with 77 (skipped) where it cannot tell.
#
#   tools/scripts/tidy.sh BUILD      BUILD: a configured build folder
set -eu
[ $# -eq 1 ] || { echo "usage: tools/scripts/tidy.sh BUILD" >&2; exit 2; }
commands=$(cd "$1" && pwd)/compile_commands.json
cd "$(dirname "$0")/../.."
skip() { echo "tidy: skipped: $1"; exit 77; }
command -v clang-tidy >/dev/null 2>&1 || skip "clang-tidy is not installed"
[ -f "$commands" ] || skip "$commands is missing"
base=${TIDY_BASE:-HEAD~1}
git rev-parse --verify -q "$base^{commit}" >/dev/null 2>&1 || skip "git does not know $base here"

# clang has no use for what GCC precompiled, nor for some of its flags.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sed -E 's| -include [^ ]*cmake_pch\.hxx||g; s| -fpch-preprocess||g; s| -Winvalid-pch||g; s| -fno-semantic-interposition||g' \
  "$commands" >"$work/compile_commands.json"

most=${TIDY_FILES:-12}
{ git diff --name-only --diff-filter=d "$base" -- 'src/*.cpp' 'tools/*.cpp' 'examples/*.cpp'; } | while read -r file; do
  if grep -q "/$file\"" "$commands"; then echo "$file"; fi
done >"$work/files"
count=$(wc -l <"$work/files")
[ "$count" -gt 0 ] || { echo "tidy: no source file has changed since $base"; exit 0; }
[ "$count" -le "$most" ] || echo "tidy: the first $most of $count changed files; TIDY_FILES=$count looks at all"
head -n "$most" "$work/files" |
  xargs -P "$(nproc)" -n 1 clang-tidy --quiet -p "$work" --extra-arg=-Wno-unknown-warning-option >"$work/found" 2>"$work/log" || true
grep 'error: .*\[clang-diagnostic-error\]' "$work/found" | sort -u | sed 's/^/tidy: clang cannot compile what GCC can: /' || true
if grep -q 'warning: .*\[[a-z]' "$work/found"; then
  cat "$work/found"
  exit 1
fi
echo "tidy: $count files, nothing found"
