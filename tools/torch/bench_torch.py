#!/usr/bin/python3
"""The training step of laban and of PyTorch, in turns on the same machine: A B A B ...

Both run the same model (torchvision's; resnet3d_50 is built here from torchvision's blocks) on random clips: forward,
cross-entropy, backward, SGD with momentum 0.9 and weight decay 1e-4. They take turns, because machines change their
mind about their speed from minute to minute; so only ratios of neighboring runs mean something.

    tools/torch/bench_torch.py --laban build/laban --rounds 5
    tools/torch/bench_torch.py --device cuda --precision bf16 --frames 16 --batch 32 --model r3d_18

On a GPU PyTorch runs in channels_last_3d with cudnn.benchmark, in each of the ways that --torch names: eager-bf16 and
eager-fp16 (autocast; fp16 with a gradient scaler), eager-tf32, eager-f32, and compile-bf16 (torch.compile). The ratio is
to its fastest way of the round. laban runs with --autotune.

needs PyTorch and torchvision (Debian: python3-torch python3-torchvision).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

WAYS = ["eager-bf16", "eager-fp16", "eager-tf32", "eager-f32", "compile-bf16"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--laban", default="build/laban", help="the program [build/laban]")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--model", default="r2plus1d_18", choices=["r3d_18", "mc3_18", "r2plus1d_18", "resnet3d_50"])
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--size", type=int, default=112)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--precision", default="f32", choices=["f32", "tf32", "bf16"], help="laban's")
    parser.add_argument("--torch", default="", help="ways of PyTorch, separated by commas [cpu: eager-f32; cuda: " +
                        "eager-bf16,eager-fp16,compile-bf16]")
    parser.add_argument("--threads", type=int, default=0, help="of both on the cpu; 0: one for each processor")
    parser.add_argument("--steps", type=int, default=5, help="timed steps of a turn")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    options = parser.parse_args()
    default = "eager-f32" if options.device == "cpu" else "eager-bf16,eager-fp16,compile-bf16"
    options.ways = (options.torch or default).split(",")
    for way in options.ways:
        if way not in WAYS:
            parser.error(f"--torch: {way} is not known; choose from {', '.join(WAYS)}")
    return options


def make_model(torch, name):
    """torchvision's, or Hara's 3D ResNet-50: a 7x7x7 stem with stride 1x2x2, a max-pool, bottlenecks."""
    from torchvision.models.video import resnet

    if name != "resnet3d_50":
        return getattr(resnet, name)(num_classes=400)

    class Stem(torch.nn.Sequential):
        def __init__(self):
            super().__init__(
                torch.nn.Conv3d(3, 64, 7, stride=(1, 2, 2), padding=3, bias=False), torch.nn.BatchNorm3d(64),
                torch.nn.ReLU(inplace=True), torch.nn.MaxPool3d(3, stride=2, padding=1))

    return resnet.VideoResNet(block=resnet.Bottleneck, conv_makers=[resnet.Conv3DSimple] * 4, layers=[3, 4, 6, 3],
                              stem=Stem, num_classes=400)


class Torch:
    """PyTorch's step, one way. The model stays in memory; each turn warms up again."""

    def __init__(self, options, way):
        import torch

        self.torch, self.way, self.cuda = torch, way, options.device == "cuda"
        mode, precision = way.split("-")
        torch.manual_seed(1)
        self.autocast = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)
        self.tf32 = precision == "tf32"
        layout = torch.channels_last_3d if self.cuda else torch.contiguous_format
        self.model = make_model(torch, options.model).train().to(options.device, memory_format=layout)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=1e-3, momentum=0.9, weight_decay=1e-4)
        self.loss = torch.nn.CrossEntropyLoss()
        self.scaler = torch.cuda.amp.GradScaler(enabled=precision == "fp16")
        self.clips = torch.randn(options.batch, 3, options.frames, options.size, options.size)
        self.clips = self.clips.to(options.device, memory_format=layout)
        self.labels = (torch.arange(options.batch) % 400).to(options.device)
        self.forward = torch.compile(self.model) if mode == "compile" else self.model

    def step(self):
        torch = self.torch
        self.optimizer.zero_grad()
        device = "cuda" if self.cuda else "cpu"
        with torch.autocast(device, dtype=self.autocast or torch.bfloat16, enabled=self.autocast is not None):
            loss = self.loss(self.forward(self.clips), self.labels)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()

    def turn(self, steps):
        torch = self.torch
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = self.tf32
        for _ in range(3 if self.cuda else 1):
            self.step()
        seconds = []
        for _ in range(steps):
            if self.cuda:
                torch.cuda.synchronize()
            start = time.perf_counter()
            self.step()
            if self.cuda:
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - start)
        return statistics.median(seconds)


def laban_turn(options):
    command = [options.laban, "bench", "step", "--json"]
    for flag in ("device", "model", "frames", "size", "batch", "precision", "threads", "steps"):
        command += [f"--{flag}", str(getattr(options, flag))]
    if options.device == "cuda":
        command.append("--autotune")
    try:
        result = subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        sys.exit(f"bench_torch.py: there is no program {options.laban}\n  Build it (make), or give its place with --laban.")
    except subprocess.CalledProcessError as error:
        sys.exit(f"bench_torch.py: {' '.join(command)} failed with {error.returncode}:\n{error.stderr}")
    return json.loads(result.stdout)["median_seconds"]


def main():
    options = arguments()
    try:
        import torch
        import torchvision  # noqa: F401
    except ImportError as error:
        sys.exit(f"bench_torch.py: {error.name} is not installed for {sys.executable}\n"
                 "  Debian has it as python3-torch and python3-torchvision, for /usr/bin/python3.")
    if options.device == "cuda" and not torch.cuda.is_available():
        sys.exit("bench_torch.py: this PyTorch finds no GPU")
    options.threads = options.threads or len(os.sched_getaffinity(0))
    torch.set_num_threads(options.threads)
    rivals = [Torch(options, way) for way in options.ways]
    turns, seconds = [], {way: [] for way in options.ways}
    for number in range(options.rounds):
        laban = laban_turn(options)
        for rival in rivals:
            seconds[rival.way].append(rival.turn(options.steps))
        best = min(seconds[way][-1] for way in options.ways)
        turns.append((laban, best))
        if not options.json:
            each = ", ".join(f"{way} {seconds[way][-1]:.4f} s" for way in options.ways)
            print(f"round {number + 1}: laban {laban:.4f} s, PyTorch {each}, {best / laban:.2f} x", flush=True)
    laban = statistics.median(a for a, _ in turns)
    ratios = [b / a for a, b in turns]
    medians = {way: statistics.median(seconds[way]) for way in options.ways}
    if options.json:
        print(json.dumps({"model": options.model, "device": options.device, "frames": options.frames,
                          "size": options.size, "batch": options.batch, "precision": options.precision,
                          "threads": options.threads, "torch": torch.__version__, "laban_seconds": laban,
                          "torch_seconds": medians, "ratio": statistics.median(ratios), "ratios": ratios}))
        return
    where = f"{options.threads} thread(s)" if options.device == "cpu" else torch.cuda.get_device_name()
    print(f"{options.model}, {options.batch} x {options.frames}x{options.size}x{options.size}, {where}, medians of "
          f"{options.rounds} rounds of {options.steps} steps")
    print(f"  {'laban (' + options.precision + ')':32} {laban:.4f} s a step, {options.batch / laban:.1f} clips/s")
    for way, median in medians.items():
        print(f"  {'PyTorch ' + torch.__version__ + ' (' + way + ')':32} {median:.4f} s a step, "
              f"{options.batch / median:.1f} clips/s")
    print(f"  ratio to the best                {statistics.median(ratios):.2f} (from {min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
