#!/bin/sh
# Installs what laban is built with, and nothing when all of it is there.
#
#   tools/scripts/install_deps.sh               what building and testing need
#   tools/scripts/install_deps.sh --build-only  what building the program and the library needs (for `make demo`)
#   tools/scripts/install_deps.sh --deb         the same, and what makes a Debian package (for `make deb`)
#   tools/scripts/install_deps.sh --ci          the same as without, and what the checks beside the tests need
#   tools/scripts/install_deps.sh --format      clang-format as well (for `make format`)
#   tools/scripts/install_deps.sh --fuzz        clang and its sanitizers as well (for `make fuzz`)
#
# Debian and Ubuntu: through apt-get, with sudo only when not root. Elsewhere it says what is missing.
set -eu

packages="g++ cmake ninja-build pkg-config libavformat-dev libavcodec-dev libavutil-dev libswscale-dev
libturbojpeg0-dev libstb-dev libtomlplusplus-dev nlohmann-json3-dev libcurl4-openssl-dev"
more="doctest-dev libboost-context-dev"
case "${1:-}" in
--build-only) more="" ;;
--deb) more="dpkg-dev file fakeroot" ;;
--ci) more="$more clang-format clang-tidy valgrind" ;;
--format) more="$more clang-format" ;;
--fuzz) more="$more clang libclang-rt-dev" ;;
"") ;;
*)
  echo "usage: tools/scripts/install_deps.sh [--build-only | --deb | --ci | --format | --fuzz]" >&2
  exit 2
  ;;
esac
packages="$packages $more"

if ! command -v dpkg-query >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then
  missing=""
  for tool in c++ cmake ninja pkg-config; do
    command -v "$tool" >/dev/null 2>&1 || missing="$missing $tool"
  done
  probe() {  # a header, and the name of what it belongs to
    command -v c++ >/dev/null 2>&1 && echo "#include <$1>" | c++ -std=c++20 -I/usr/include/stb -fsyntax-only -x c++ - 2>/dev/null ||
      missing="$missing $2"
  }
  probe libavformat/avformat.h FFmpeg
  probe turbojpeg.h libjpeg-turbo
  probe stb_image.h stb
  probe toml++/toml.h toml++
  probe nlohmann/json.hpp nlohmann-json
  probe curl/curl.h libcurl
  if [ "${1:-}" != --build-only ]; then
    probe doctest/doctest.h doctest
    probe boost/context/fiber.hpp Boost.Context
  fi
  [ -z "$missing" ] && exit 0
  cat >&2 <<EOT
laban cannot install packages here (no apt-get). Missing:$missing
Please install, with the headers, through your system's package manager:
  a C++20 compiler (GCC 12 or later), CMake 3.25, Ninja, pkg-config,
  FFmpeg 5.1 to 7 (libavformat, libavcodec, libavutil, libswscale, with libx264 for 'laban synth'),
  libjpeg-turbo (with the TurboJPEG API), stb, toml++ 3, nlohmann-json 3, libcurl 7.85; for the tests doctest 2.4, Boost.Context
  Fedora: dnf install gcc-c++ cmake ninja-build pkgconf ffmpeg-devel turbojpeg-devel stb-devel tomlplusplus-devel json-devel libcurl-devel doctest-devel boost-devel
  Arch:   pacman -S gcc cmake ninja pkgconf ffmpeg libjpeg-turbo stb tomlplusplus nlohmann-json curl doctest boost
Then run the same command again.
EOT
  exit 1
fi

missing=""
for package in $packages; do
  state=$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true)
  [ "$state" = "install ok installed" ] || missing="$missing $package"
done
# pkgconf provides pkg-config from Debian 13 on.
if command -v pkg-config >/dev/null 2>&1; then
  missing=$(printf '%s' "$missing" | sed 's/ pkg-config\b//')
fi
[ -z "$missing" ] && exit 0

sudo=""
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null 2>&1; then
    echo "laban needs these packages; as root, run:  apt-get install$missing" >&2
    exit 1
  fi
  sudo="sudo"
fi
echo "laban: installing system packages:$missing"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086 # the lists are meant to be split
if ! { $sudo apt-get update -qq && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing; } >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  echo "laban: apt-get could not install:$missing" >&2
  echo "  The lines above are its own; is the network reachable, and is this Debian 12 or later (or Ubuntu 24.04)?" >&2
  exit 1
fi
