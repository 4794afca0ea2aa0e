#!/bin/sh
# read_video on a clip of `laban synth`: three frames become three PNG files of the clip's size, no two of them alike; a frame
# that is not there is refused. Arguments: read_video, laban.
set -eu
reader=$(realpath "$1") laban=$(realpath "$2")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
"$laban" synth dances --split train=10,val=0,test=0 >log 2>&1 || { cat log; exit 1; }
clip=$(find dances -name '*.mp4' | sort | head -n 1)
"$reader" "$clip"
[ "$(ls frame-*.png | wc -l)" -eq 3 ] || { echo "not three pictures"; exit 1; }
size=$("$reader" "$clip" 0 | sed -n 's/.* frames of \([0-9]*\)x\([0-9]*\),.*/\1 \2/p')
for picture in frame-*.png; do
  # The header's width and height: big-endian numbers from byte 16 on.
  found=$(od -An -tu1 -j16 -N8 "$picture" | awk '{print ($3 * 256 + $4), ($7 * 256 + $8)}')
  [ "$found" = "$size" ] || { echo "$picture is $found, the clip $size"; exit 1; }
done
[ "$(sha256sum frame-*.png | awk '{print $1}' | sort -u | wc -l)" -eq 3 ] || { echo "frames are alike"; exit 1; }
if "$reader" "$clip" 100000 2>refusal; then echo "a frame that is not there was read"; exit 1; fi
cat refusal
