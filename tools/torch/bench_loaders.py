#!/usr/bin/env python3
"""Clips a second of laban against PyAV, OpenCV, decord and torchcodec, over the same files.

    tools/torch/bench_loaders.py --laban build/laban DATA [--rounds 5] [--clips 64]

Each loader makes the same clips: the same frame numbers, scaled to 128 rows (340x256 gives 170x128), the middle
112x112 cut out, as float32 in 0..1 minus mean over deviation. One thread each, one process after the other, round by round
(A B C, A B C, ...); medians over the rounds. CPU seconds are the process's own, user and system, without starting up.

Equal exactness: before anything is timed, every peer's frame numbers are checked against ffmpeg's own decoding of the
file (`ffmpeg -fps_mode passthrough -f rawvideo`): a loader whose frame k is not the k-th is named and left out.
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

SIZE, SHORT, MEAN, STD = 112, 128, 0.45, 0.225


def sparse(n):  # 16 segments of one frame, as laban's test mode takes them
    d = n / 16
    return [int(d / 2 + d * k) for k in range(16)]


def consecutive(n):
    start = (n - 16) // 2
    return list(range(start, start + 16))


def dense(n):
    start = (n - 61) // 2
    return [start + 4 * k for k in range(16)]


WAYS = {
    "sparse 16x1": (sparse, ["--segments", "16"]),
    "dense 16": (consecutive, ["--segments", "16", "--sampler", "dense", "--stride", "1"]),
    "dense 16x4": (dense, ["--segments", "16", "--sampler", "dense", "--stride", "4"]),
}


def scaled_size(width, height):
    return (SHORT, height * SHORT // width) if width <= height else (width * SHORT // height, SHORT)


def finish(frames):
    """Middle crop and normalization of a T,H,W,3 stack that is scaled already."""
    t, h, w, _ = frames.shape
    y, x = (h - SIZE) // 2, (w - SIZE) // 2
    return (frames[:, y:y + SIZE, x:x + SIZE].astype(np.float32) / 255 - MEAN) / STD


class PyAV:
    """Decodes forward from the key frame before the first frame, as long as the wanted ones have not come."""
    def __init__(self):
        import av
        self.av = av

    def frames(self, path, wanted, n, scale=True):
        with self.av.open(path) as container:
            stream = container.streams.video[0]
            stream.thread_type = "NONE"
            stream.codec_context.thread_count = 1
            out, at = [], 0
            last = wanted[-1]
            for frame in container.decode(stream):
                if at in wanted:
                    w, h = scaled_size(frame.width, frame.height) if scale else (frame.width, frame.height)
                    out.append(frame.to_ndarray(format="rgb24", width=w, height=h, interpolation="BILINEAR"))
                if at == last:
                    break
                at += 1
        return np.stack(out)


class OpenCV:
    """grab() over what is not wanted, retrieve() what is."""
    def __init__(self):
        import cv2
        cv2.setNumThreads(1)
        self.cv2 = cv2

    def frames(self, path, wanted, n, scale=True):
        cv2 = self.cv2
        video = cv2.VideoCapture(path, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        out, want = [], set(wanted)
        for k in range(wanted[-1] + 1):
            if not video.grab():
                raise RuntimeError(f"frame {k} does not come")
            if k in want:
                picture = video.retrieve()[1]
                if scale:
                    picture = cv2.resize(picture, scaled_size(picture.shape[1], picture.shape[0]),
                                         interpolation=cv2.INTER_AREA)
                out.append(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
        video.release()
        return np.stack(out)


class Decord:
    """get_batch(), scaled by decord's own reader."""
    def __init__(self):
        import decord
        self.decord = decord

    def frames(self, path, wanted, n, scale=True):
        size = {}
        if scale:
            w, h = scaled_size(*self.size(path))
            size = {"width": w, "height": h}
        reader = self.decord.VideoReader(path, num_threads=1, **size)
        return reader.get_batch(wanted).asnumpy()

    sizes = {}

    def size(self, path):  # a loader would know it from its list
        if path not in self.sizes:
            h, w, _ = self.decord.VideoReader(path, num_threads=1)[0].shape
            self.sizes[path] = (w, h)
        return self.sizes[path]


class TorchCodec:
    """get_frames_at(), exact seek mode, one thread; scaled by torch's antialiased bilinear."""
    def __init__(self):
        import torch
        from torchcodec.decoders import VideoDecoder
        torch.set_num_threads(1)
        self.torch, self.decoder = torch, VideoDecoder

    mode = "exact"

    def frames(self, path, wanted, n, scale=True):
        decoder = self.decoder(path, dimension_order="NHWC", num_ffmpeg_threads=1, seek_mode=self.mode)
        data = decoder.get_frames_at(wanted).data
        if not scale:
            return data.numpy()
        w, h = scaled_size(data.shape[2], data.shape[1])
        small = self.torch.nn.functional.interpolate(data.permute(0, 3, 1, 2), size=(h, w), mode="bilinear",
                                                     antialias=True)
        return small.permute(0, 2, 3, 1).numpy()


class TorchCodecApproximate(TorchCodec):
    """The same, trusting the container's frame rate instead of looking through the packets."""
    mode = "approximate"


PEERS = {"PyAV": PyAV, "OpenCV": OpenCV, "decord": Decord, "torchcodec": TorchCodec,
         "torchcodec approximate": TorchCodecApproximate}


def oracle(path):
    """ffmpeg's decoding of the whole file as RGB."""
    size = subprocess.run(["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "stream=width,height",
                           "-of", "csv=p=0", path], capture_output=True, text=True, check=True).stdout.strip()
    w, h = map(int, size.split(",")[:2])
    raw = subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-map", "0:v:0", "-fps_mode", "passthrough", "-f", "rawvideo",
                          "-pix_fmt", "rgb24", "-"], capture_output=True, check=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, h, w, 3)


def exact(peer, path, truth):
    """Is every frame that the peer gives nearest to the one of that number? (Color conversions differ by a level or two.)"""
    n = len(truth)
    for sampler, _ in WAYS.values():
        wanted = sampler(n)
        got = peer.frames(path, wanted, n, scale=False)
        for k, picture in zip(wanted, got):
            near = [j for j in range(k - 2, k + 3) if 0 <= j < n]
            error = {j: float(np.abs(picture.astype(np.int16) - truth[j]).mean()) for j in near}
            if error[k] > min(error.values()) + 1e-9:
                return f"frame {k} is frame {min(error, key=error.get)}"
    return ""


def worker(name, way, clips, files, counts):
    peer = PEERS[name]()
    sampler = WAYS[way][0]
    finish(peer.frames(files[0], sampler(counts[0]), counts[0]))  # first use loads libraries
    before, begin = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    for i in range(clips):
        path, n = files[i % len(files)], counts[i % len(files)]
        clip = finish(peer.frames(path, sampler(n), n))
        assert clip.shape == (16, SIZE, SIZE, 3), clip.shape
    after, seconds = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter() - begin
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"clips_per_second": clips / seconds, "cpu_seconds_per_clip": cpu / clips}))


def run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else str(command))
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="a folder of class folders of videos")
    parser.add_argument("--laban", default="build/laban", help="the program")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clips", type=int, default=64, help="clips of each loader in each round")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    files = sorted(str(p) for p in Path(arguments.data).glob("*/*") if p.suffix in (".mp4", ".mkv", ".webm", ".avi", ".mov"))
    if arguments.worker:
        counts = json.loads(os.environ["LABAN_BENCH_COUNTS"])
        return worker(*arguments.worker, arguments.clips, files, counts)

    truths = {path: oracle(path) for path in files[:4]}  # enough to find a loader that miscounts
    counts = []
    for path in files:
        frames = subprocess.run([arguments.laban, "frames", path, "--json"], capture_output=True, text=True, check=True)
        counts.append(json.loads(frames.stdout)["frames"])
    os.environ["LABAN_BENCH_COUNTS"] = json.dumps(counts)
    peers = []
    for name, kind in PEERS.items():
        try:
            peer = kind()
        except Exception as error:  # not installed, or not usable here
            print(f"{name}: not here ({type(error).__name__}: {str(error).splitlines()[0]})", file=sys.stderr)
            continue
        wrong = next((w for path, truth in truths.items() if (w := exact(peer, path, truth))), "")
        if wrong:
            print(f"{name}: not exact, left out: {wrong}", file=sys.stderr)
        else:
            peers.append(name)

    results = {way: {name: [] for name in ["laban", *peers]} for way in WAYS}
    for round_number in range(arguments.rounds):
        for way, (_, flags) in WAYS.items():
            results[way]["laban"].append(run([
                arguments.laban, "bench", "load", arguments.data, "--mode", "test", "--workers", "1", "--json", "--clips",
                str(arguments.clips), "--size", str(SIZE), "--short-side-min", str(SHORT), "--short-side-max", str(SHORT), *flags]))
            for name in peers:
                results[way][name].append(run([sys.executable, __file__, arguments.data, "--clips", str(arguments.clips),
                                               "--worker", name, way]))
        print(f"round {round_number + 1} of {arguments.rounds}", file=sys.stderr)

    table = []
    for way, by_name in results.items():
        median = {name: statistics.median(r["cpu_seconds_per_clip"] for r in runs) for name, runs in by_name.items()}
        speed = {name: statistics.median(r["clips_per_second"] for r in runs) for name, runs in by_name.items()}
        for name in by_name:
            # The ratio is taken within each round, where the machine was in the same mood.
            ratio = statistics.median(theirs["cpu_seconds_per_clip"] / ours["cpu_seconds_per_clip"]
                                      for theirs, ours in zip(by_name[name], by_name["laban"]))
            table.append({"way": way, "loader": name, "cpu_ms_per_clip": 1e3 * median[name],
                          "clips_per_second": speed[name], "times_laban": ratio})
    if arguments.json:
        print(json.dumps(table))
        return
    print(f"{'':14}{'loader':24}{'CPU ms/clip':>12}{'clips/s':>10}{'x laban':>9}")
    for row in table:
        print(f"{row['way']:14}{row['loader']:24}{row['cpu_ms_per_clip']:12.1f}{row['clips_per_second']:10.1f}"
              f"{row['times_laban']:9.2f}")


if __name__ == "__main__":
    main()
