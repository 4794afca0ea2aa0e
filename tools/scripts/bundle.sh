#!/usr/bin/env bash
# A folder that runs on another machine: dist/laban-VERSION.tar with the programs, the libraries that they need other than
# glibc's, CUDA's and the driver's, tools/scripts/gpu_check.sh and a script that unpacks the rest when it first runs.
#
#   tools/scripts/bundle.sh BUILD      BUILD: a folder where laban and laban_test_gpu have been built, for any x86-64
#
# Runs on x86-64 Linux with glibc 2.36 or later and something that reads xz. The tar must stay below 60 MB, hence the stripping and the xz: most of
# it are the codecs that FFmpeg's libraries bring along.
set -euo pipefail
[ $# -eq 1 ] || { echo "usage: tools/scripts/bundle.sh BUILD" >&2; exit 2; }
build=$(realpath "$1")
cd "$(dirname "$0")/../.."
version=$("$build/laban" --version | awk '{print $2}')
name=laban-$version
folder=dist/$name
rm -rf "$folder" "dist/$name.tar"
mkdir -p "$folder/bin" "$folder/lib" "$folder/tools/scripts"

programs=("$build/laban")
[ -x "$build/laban_test_gpu" ] && programs+=("$build/laban_test_gpu")
# What every Linux of that age has, and what comes with the driver and the CUDA toolkit.
from_there='^(ld-linux|lib(c|m|dl|rt|pthread|resolv|util|cuda|cudart|cublas|cublasLt|cudnn|cudnn_[a-z_]*|nvrtc|nvJitLink))[.-]'
for program in "${programs[@]}"; do
  strip -o "$folder/bin/$(basename "$program")" "$program"
  ldd "$program" | awk '$2 == "=>" && $3 ~ /^\// {print $3}'
done | sort -u | while read -r library; do
  [[ $(basename "$library") =~ $from_there ]] && continue
  strip --strip-unneeded -o "$folder/lib/$(basename "$library")" "$(realpath "$library")" 2>/dev/null ||
    cp -L "$library" "$folder/lib/"
done
cp tools/scripts/gpu_check.sh "$folder/tools/scripts/"
cat >"$folder/run" <<'RUN'
#!/bin/sh
# ./run train --data ...    laban, with the libraries of this folder
# ./run gpu-check           everything that only a GPU can show
here=$(cd "$(dirname "$0")" && pwd)
# Whatever can read xz; into a folder aside, so that what is cut short is not taken for the whole.
unpack() {
  aside=$here/unpacking.$$
  mkdir "$aside" || return 1
  for reader in 'xz -dc' "python3 -c 'import lzma, shutil, sys; shutil.copyfileobj(lzma.open(sys.stdin.buffer), sys.stdout.buffer)'" \
    'busybox xz -dc' '7z x -txz -si -so'; do
    command -v "${reader%% *}" >/dev/null || continue
    if eval "$reader" <"$here/programs.tar.xz" 2>/dev/null | tar -xf - -C "$aside" 2>/dev/null && [ -x "$aside/bin/laban" ]; then
      mv "$aside/lib" "$aside/bin" "$here/" && rmdir "$aside"
      return
    fi
  done
  rm -rf "$aside"
  return 1
}
if [ ! -x "$here/bin/laban" ]; then
  unpack || {
    echo "laban: $here/programs.tar.xz could not be unpacked: xz, python3, busybox or 7z is needed, and room on the disk" >&2
    exit 1
  }
fi
export LD_LIBRARY_PATH="$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
# CUDA's libraries: the toolkit's, or those that Python packages bring along.
packages=$(python3 -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])' 2>/dev/null || true)
for cuda in /usr/local/cuda/lib64 /usr/local/cuda/targets/x86_64-linux/lib /usr/lib/x86_64-linux-gnu "$packages"/nvidia/*/lib; do
  if [ -d "$cuda" ]; then LD_LIBRARY_PATH="$LD_LIBRARY_PATH:$cuda"; fi
done
missing=$(ldd "$here/bin/laban" | awk '/not found/ {printf "%s%s", sep, $1; sep = ", "}')
if [ -n "$missing" ]; then
  echo "laban: this machine lacks $missing" >&2
  echo "  This build computes on NVIDIA GPUs: install CUDA's runtime, cuBLAS and cuDNN, or name their folders in LD_LIBRARY_PATH." >&2
  exit 1
fi
if [ "${1:-}" = gpu-check ]; then
  shift
  exec "$here/tools/scripts/gpu_check.sh" --bin "$here/bin" "$@"
fi
exec "$here/bin/laban" "$@"
RUN
chmod +x "$folder/run" "$folder/tools/scripts/gpu_check.sh"
libraries=$(find "$folder/lib" -type f | wc -l)
# The filter for x86 code and a dictionary that spans both programs, which share most of their bytes.
tar -C "$folder" -cf - bin lib | xz --x86 --lzma2=preset=9e,dict=192MiB >"$folder/programs.tar.xz"
rm -rf "$folder/bin" "$folder/lib"
tar -C dist -cf "dist/$name.tar" "$name"
bytes=$(stat -c %s "dist/$name.tar")
echo "dist/$name.tar: $((bytes / 1000000)) MB, $libraries libraries"
[ "$bytes" -le 60000000 ] || { echo "bundle: that is more than 60 MB" >&2; exit 1; }
