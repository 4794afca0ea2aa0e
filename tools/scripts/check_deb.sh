#!/bin/sh
# The honest test of the Debian package: built in a bare Debian of that suite from a clean clone, installed in another one, where
# it draws videos and trains on them.
#
#   tools/scripts/check_deb.sh bookworm|trixie
#
# Needs root and debootstrap.
set -eu
[ $# -eq 1 ] || { echo "usage: tools/scripts/check_deb.sh bookworm|trixie" >&2; exit 2; }
suite=$1
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/laban-deb.XXXXXX")
bare=$work/bare
cleanup() {
  for mount in proc dev; do
    if mountpoint -q "$bare/$mount"; then umount "$bare/$mount"; fi
  done
  rm -rf --one-file-system "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# fresh_machine.sh keeps its folder where KEEP=1, and says where.
KEEP=1 TMPDIR=$work sh "$here/fresh_machine.sh" "$suite" deb
debootstrap --variant=minbase "$suite" "$bare" >"$work/log" 2>&1 || { tail -n 20 "$work/log"; exit 1; }
cp /etc/resolv.conf "$bare/etc/resolv.conf"
mount -t proc proc "$bare/proc"
mount --bind /dev "$bare/dev"
cp "$work"/laban-*/laban/dist/laban_*.deb "$bare/root/"
cat >"$bare/root/try.sh" <<'TRY'
set -e
cd /root
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ./laban_*.deb >install.log 2>&1 || { tail -n 20 install.log; exit 1; }
laban --version
laban synth dances --split train=16,val=8,test=4 >synth.log 2>&1 || { cat synth.log; exit 1; }
laban train --data dances --device cpu --model r2plus1d_tiny --recipe none --no-floor --frames 4 --size 16 --batch 4 --epochs 1 --run run >train.log 2>&1 ||
  { cat train.log; exit 1; }
[ -s run/last.safetensors ] || { echo "no checkpoint was written"; exit 1; }
TRY
chroot "$bare" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 sh /root/try.sh
echo "check_deb: the package for Debian $suite installs on a bare one, draws and trains"
