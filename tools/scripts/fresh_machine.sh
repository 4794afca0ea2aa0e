#!/bin/sh
# The honest test of the set-up: a bare Debian in a folder, a clean clone of the last commit, one command.
#
#   tools/scripts/fresh_machine.sh bookworm|trixie [make target...]     (default target: test)
#
# Needs root and debootstrap. The folder is removed afterwards unless KEEP=1.
set -eu

case "${1:-}" in
bookworm | trixie) suite=$1 ;;
*)
  echo "usage: tools/scripts/fresh_machine.sh bookworm|trixie [make target...]" >&2
  exit 2
  ;;
esac
shift
[ $# -gt 0 ] || set -- test
[ "$(id -u)" -eq 0 ] || { echo "fresh_machine: debootstrap and chroot need root; run it with sudo" >&2; exit 2; }
command -v debootstrap >/dev/null 2>&1 || { echo "fresh_machine: debootstrap is missing; apt-get install debootstrap" >&2; exit 2; }

repository=$(cd "$(dirname "$0")/../.." && pwd)
root=$(mktemp -d "${TMPDIR:-/tmp}/laban-$suite.XXXXXX")
cleanup() {
  for mount in proc dev; do
    if mountpoint -q "$root/$mount"; then umount "$root/$mount"; fi
  done
  if [ "${KEEP:-0}" = 1 ]; then
    echo "fresh_machine: kept $root"
  else
    rm -rf --one-file-system "$root"
  fi
}
trap cleanup EXIT
trap 'exit 130' INT TERM

echo "fresh_machine: a bare Debian $suite in $root"
debootstrap --variant=minbase --include=make,git,ca-certificates "$suite" "$root" >"$root.log" 2>&1 || {
  tail -n 20 "$root.log" >&2
  echo "fresh_machine: debootstrap failed (log: $root.log)" >&2
  exit 1
}
rm -f "$root.log"
cp /etc/resolv.conf "$root/etc/resolv.conf"
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
git clone -q "$repository" "$root/laban"
echo "fresh_machine: $(git -C "$root/laban" log -1 --format='%h %s'), make $*"
start=$(date +%s)
status=0
chroot "$root" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 make -C /laban "$@" || status=$?
echo "fresh_machine: Debian $suite, make $*: exit $status after $(($(date +%s) - start)) s"
exit $status
