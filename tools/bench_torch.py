#!/usr/bin/python3
"""The training step of laban and of PyTorch, in turns on the same machine: A B A B ...

Both run r2plus1d_18 (torchvision's) on random clips: forward, cross-entropy, backward, SGD with momentum 0.9 and
weight decay 1e-4, in f32. They take turns, because machines change their mind about their speed from minute to
minute; so only ratios of neighbouring runs mean something.

    tools/bench_torch.py --laban build/laban --rounds 5

needs PyTorch and torchvision (Debian: python3-torch python3-torchvision).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--laban", default="build/laban", help="the program [build/laban]")
    parser.add_argument("--model", default="r2plus1d_18", choices=["r3d_18", "mc3_18", "r2plus1d_18"])
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--size", type=int, default=112)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--precision", default="f32", choices=["f32", "bf16"], help="laban's; PyTorch runs in f32")
    parser.add_argument("--threads", type=int, default=0, help="of both; 0: one for each processor")
    parser.add_argument("--steps", type=int, default=5, help="timed steps of a turn")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    return parser.parse_args()


class Torch:
    """PyTorch's step. The model stays in memory; each turn warms up again."""

    def __init__(self, options):
        try:
            import torch
            import torchvision
        except ImportError as error:
            sys.exit(
                f"bench_torch.py: {error.name} is not installed for {sys.executable}\n"
                "  Debian has it as python3-torch and python3-torchvision, for /usr/bin/python3."
            )
        self.version = torch.__version__
        torch.set_num_threads(options.threads)
        torch.manual_seed(1)
        self.model = getattr(torchvision.models.video, options.model)(num_classes=400).train()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=1e-3, momentum=0.9, weight_decay=1e-4)
        self.loss = torch.nn.CrossEntropyLoss()
        self.clips = torch.randn(options.batch, 3, options.frames, options.size, options.size)
        self.labels = torch.arange(options.batch) % 400

    def step(self):
        self.optimizer.zero_grad()
        self.loss(self.model(self.clips), self.labels).backward()
        self.optimizer.step()

    def turn(self, steps):
        self.step()
        seconds = []
        for _ in range(steps):
            start = time.perf_counter()
            self.step()
            seconds.append(time.perf_counter() - start)
        return statistics.median(seconds)


def laban_turn(options):
    command = [options.laban, "bench", "step", "--device", "cpu", "--json"]
    for flag in ("model", "frames", "size", "batch", "precision", "threads", "steps"):
        command += [f"--{flag}", str(getattr(options, flag))]
    try:
        result = subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        sys.exit(f"bench_torch.py: there is no program {options.laban}\n  Build it (make), or give its place with --laban.")
    except subprocess.CalledProcessError as error:
        sys.exit(f"bench_torch.py: {' '.join(command)} failed with {error.returncode}:\n{error.stderr}")
    return json.loads(result.stdout)["median_seconds"]


def main():
    options = arguments()
    options.threads = options.threads or len(os.sched_getaffinity(0))
    torch = Torch(options)
    turns = []
    for number in range(options.rounds):
        laban, pytorch = laban_turn(options), torch.turn(options.steps)
        turns.append((laban, pytorch))
        if not options.json:
            print(f"round {number + 1}: laban {laban:.3f} s, PyTorch {pytorch:.3f} s, {pytorch / laban:.2f} x", flush=True)
    laban, pytorch = (statistics.median(column) for column in zip(*turns))
    ratios = [b / a for a, b in turns]
    if options.json:
        print(json.dumps({"model": options.model, "frames": options.frames, "size": options.size,
                          "batch": options.batch, "precision": options.precision, "threads": options.threads,
                          "torch": torch.version, "laban_seconds": laban, "torch_seconds": pytorch,
                          "ratio": statistics.median(ratios), "ratios": ratios}))
        return
    print(f"{options.model}, {options.batch} x {options.frames}x{options.size}x{options.size}, "
          f"{options.threads} thread(s), medians of {options.rounds} rounds of {options.steps} steps")
    print(f"  laban ({options.precision})       {laban:.3f} s a step")
    print(f"  PyTorch {torch.version} (f32) {pytorch:.3f} s a step")
    print(f"  ratio             {statistics.median(ratios):.2f} (from {min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
