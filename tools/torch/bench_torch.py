#!/usr/bin/python3
"""laban and PyTorch in turns on the same machine: A B C A B C ...

Both run the same models (torchvision's, or torch_peer.py's) on random clips. A training step is forward, cross-entropy,
backward, SGD with momentum 0.9 and weight decay 1e-4; an evaluation step is forward with the running statistics, PyTorch's
under inference_mode. They take turns, because machines change their mind about their speed from minute to minute; so only
ratios of one round mean something. Printed are medians over the rounds, and of each program the most memory that its process
has had (VmHWM) and the time from its start to the end of its first step.

    tools/torch/bench_torch.py --laban build/laban --rounds 3
    tools/torch/bench_torch.py --isa avx2 --priority 10 --models r2plus1d_18,resnet3d_50 --what evaluate
    tools/torch/bench_torch.py --device cuda --precision bf16 --frames 16 --batch 32 --models r3d_18

Ways of PyTorch (--torch), each a process of its own; the ratio is to the fastest of the round:
    cpu   eager-f32 (contiguous), channels_last-f32 (channels_last_3d), compile-f32 (torch.compile, channels_last_3d)
    cuda  eager-bf16 and eager-fp16 (autocast; fp16 with a gradient scaler), eager-tf32, eager-f32, compile-bf16; all in
          channels_last_3d with cudnn.benchmark. laban runs with --autotune.

--isa avx2 holds both to AVX2: PyTorch by ONEDNN_MAX_CPU_ISA, ATEN_CPU_CAPABILITY and MKL_ENABLE_INSTRUCTIONS.
--priority N runs both at that real-time priority (chrt -r) while they are timed; needs the permission to do so.

Needs PyTorch and torchvision.
"""

import argparse
import json
import os
import select
import statistics
import subprocess
import sys
import time

WAYS = {"cpu": ["eager-f32", "channels_last-f32", "compile-f32"],
        "cuda": ["eager-bf16", "eager-fp16", "compile-bf16", "eager-tf32", "eager-f32"]}
DEFAULT_WAYS = {"cpu": 3, "cuda": 3}
CLIPS = {"resnet3d_50": (2, 16, 112), "r2plus1d_tiny": (8, 16, 56)}  # batch, frames, size
OTHER_CLIPS = (2, 8, 112)
MODELS = ["r2plus1d_18", "r3d_18", "mc3_18", "resnet3d_50", "r2plus1d_tiny"]
TORCH_AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--laban", default="build/laban", help="the program [build/laban]")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--models", default=",".join(MODELS), help="separated by commas [all of " + ", ".join(MODELS) + "]")
    parser.add_argument("--what", default="train,evaluate", help="kinds of steps [train,evaluate]")
    parser.add_argument("--frames", type=int, default=0, help="0: 8, resnet3d_50 and r2plus1d_tiny 16")
    parser.add_argument("--size", type=int, default=0, help="0: 112, r2plus1d_tiny 56")
    parser.add_argument("--batch", type=int, default=0, help="0: 2, r2plus1d_tiny 8")
    parser.add_argument("--precision", default="f32", choices=["f32", "tf32", "bf16"], help="laban's")
    parser.add_argument("--isa", default="auto", help="cpu: auto, or avx2 for both")
    parser.add_argument("--torch", default="", help="ways of PyTorch, separated by commas")
    parser.add_argument("--threads", type=int, default=0, help="of both on the cpu; 0: one for each processor")
    parser.add_argument("--priority", type=int, default=0, help="real-time priority of both; 0: none")
    parser.add_argument("--steps", type=int, default=3, help="timed steps of a turn")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each")
    parser.add_argument("--json", action="store_true", help="one JSON object a row instead of text")
    parser.add_argument("--child", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.ways = options.torch.split(",") if options.torch else WAYS[options.device][:DEFAULT_WAYS[options.device]]
    for way in options.ways:
        if way not in WAYS[options.device]:
            parser.error(f"--torch: {way} is not known; choose from {', '.join(WAYS[options.device])}")
    for what in options.what.split(","):
        if what not in ("train", "evaluate"):
            parser.error(f"--what: {what} is not known; choose from train, evaluate")
    if options.isa not in ("auto", "avx2"):
        parser.error(f"--isa: {options.isa} is not known for both programs; choose from auto, avx2")
    options.threads = options.threads or len(os.sched_getaffinity(0))
    return options


# ---- PyTorch, in a process of its own --------------------------------------------------------------------------------


def make_model(name):
    from torch import nn
    import torch_peer

    if name != "r2plus1d_tiny":
        return torch_peer.build(name, 400)
    net = torch_peer.build("r2plus1d_18", 400, planes=(16, 32, 64, 128), blocks=[1, 1, 1, 1], stem_planes=16, stem_midplanes=16)
    net.stem = nn.Sequential(*torch_peer.conv_norm_relu(3, 16, (1, 5, 5), (1, 2, 2)), *torch_peer.conv_norm_relu(16, 16, (3, 1, 1), 1))
    return net


class Torch:
    def __init__(self, options, way, what):
        import torch

        self.torch, self.cuda, self.train = torch, options.device == "cuda", what == "train"
        mode, precision = way.split("-")
        torch.set_num_threads(options.threads)
        torch.manual_seed(1)
        self.autocast = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        layout = torch.contiguous_format if way == "eager-f32" and not self.cuda else torch.channels_last_3d
        self.model = make_model(options.models).train(self.train).to(options.device, memory_format=layout)
        if self.train:
            self.optimizer = torch.optim.SGD(self.model.parameters(), lr=1e-3, momentum=0.9, weight_decay=1e-4)
        self.loss = torch.nn.CrossEntropyLoss()
        self.scaler = torch.amp.GradScaler(options.device, enabled=precision == "fp16")
        self.clips = torch.randn(options.batch, 3, options.frames, options.size, options.size)
        self.clips = self.clips.to(options.device, memory_format=layout)
        self.labels = (torch.arange(options.batch) % 400).to(options.device)
        self.forward = torch.compile(self.model) if mode == "compile" else self.model

    def step(self):
        torch = self.torch
        device = "cuda" if self.cuda else "cpu"
        cast = torch.autocast(device, dtype=self.autocast or torch.bfloat16, enabled=self.autocast is not None)
        if not self.train:
            with torch.inference_mode(), cast:
                self.forward(self.clips)
        else:
            self.optimizer.zero_grad()
            with cast:
                loss = self.loss(self.forward(self.clips), self.labels)
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()
        if self.cuda:
            torch.cuda.synchronize()


def set_priority(priority):
    """Of all threads of this process."""
    policy = os.SCHED_RR if priority else os.SCHED_OTHER
    for thread in os.listdir("/proc/self/task"):
        os.sched_setscheduler(int(thread), policy, os.sched_param(priority))


def peak_bytes():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


def child(options):
    """One way of PyTorch: tells of its first step, then of a turn for each line that it is sent."""
    way, what = options.child.split(":")
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    rival = Torch(options, way, what)
    rival.step()
    first = time.time()
    rival.step()
    if options.priority:
        set_priority(0)
    print(json.dumps({"first_step_ended": first, "version": rival.torch.__version__}), flush=True)
    for _ in sys.stdin:
        if options.priority:
            set_priority(options.priority)
        seconds = []
        for step in range(-1, options.steps):
            start = time.perf_counter()
            rival.step()
            if step >= 0:
                seconds.append(time.perf_counter() - start)
        if options.priority:
            set_priority(0)
        print(json.dumps({"seconds": statistics.median(seconds), "peak_bytes": peak_bytes()}), flush=True)


# ---- the turns -------------------------------------------------------------------------------------------------------


def at_priority(options, command):
    return ["chrt", "-r", str(options.priority)] + command if options.priority else command


class Rival:
    """A way of PyTorch: its process, and what it has told."""

    PATIENCE = 540  # seconds for the first step, which may compile

    def __init__(self, options, way, what):
        self.way, self.seconds, self.peak, self.failure = way, [], 0, ""
        command = [sys.executable, os.path.abspath(__file__), "--child", f"{way}:{what}", "--torch", way]
        for flag in ("device", "models", "frames", "size", "batch", "threads", "steps", "priority"):
            command += [f"--{flag}", str(getattr(options, flag))]
        if not way.startswith("compile"):  # a compiler would keep the machine from everybody else for minutes
            command = at_priority(options, command)
        environment = dict(os.environ, **(TORCH_AVX2 if options.isa == "avx2" else {}))
        started = time.time()
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, env=environment)
        told = self.answer()
        if told:
            self.start = told["first_step_ended"] - started
            self.version = told["version"]

    def answer(self):
        ready, _, _ = select.select([self.process.stdout], [], [], self.PATIENCE)
        line = self.process.stdout.readline() if ready else ""
        if line:
            return json.loads(line)
        self.process.kill()
        errors = self.process.communicate()[1].strip().splitlines()
        self.failure = (errors or ["no answer"])[-1] if ready else f"no first step within {self.PATIENCE} s"
        return None

    def turn(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        told = self.answer()
        if told:
            self.seconds.append(told["seconds"])
            self.peak = told["peak_bytes"]

    def end(self):
        if not self.failure:
            self.process.communicate("")


def laban_turn(options, what):
    command = [options.laban, "bench", "step", "--json", "--model", options.models]
    for flag in ("device", "frames", "size", "batch", "precision", "threads", "steps"):
        command += [f"--{flag}", str(getattr(options, flag))]
    if options.device == "cuda":
        command.append("--autotune")
    else:
        command += ["--isa", options.isa]
    if what == "evaluate":
        command.append("--evaluate")
    try:
        started = time.time()
        result = subprocess.run(at_priority(options, command), check=True, capture_output=True, text=True)
    except FileNotFoundError:
        sys.exit(f"bench_torch.py: there is no program {options.laban}\n  Build it (make), or give its place with --laban.")
    except subprocess.CalledProcessError as error:
        sys.exit(f"bench_torch.py: {' '.join(command)} failed with {error.returncode}:\n{error.stderr}")
    told = json.loads(result.stdout)
    return told["median_seconds"], told["peak_process_bytes"], told["first_step_ended"] - started


def measure(options, what):
    """One row: a model and a kind of step."""
    rivals = [Rival(options, way, what) for way in options.ways]
    turns = []
    for number in range(options.rounds):
        turns.append(laban_turn(options, what))
        for rival in rivals:
            if not rival.failure:
                rival.turn()
        if not options.json:
            each = ", ".join(f"{r.way} {r.seconds[-1]:.4f}" for r in rivals if not r.failure)
            print(f"# {options.models} {what}, round {number + 1}: laban {turns[-1][0]:.4f}, PyTorch {each}", flush=True)
        if options.priority:
            time.sleep(5)  # the machine's other users have waited
    for rival in rivals:
        rival.end()
        if rival.failure:
            print(f"# {options.models} {what}, {rival.way}: {rival.failure}", file=sys.stderr)
    rivals = [rival for rival in rivals if not rival.failure]
    if not rivals:
        sys.exit("bench_torch.py: PyTorch ran in none of its ways")
    best = min(rivals, key=lambda r: statistics.median(r.seconds))
    ratios = [min(r.seconds[i] for r in rivals) / turns[i][0] for i in range(options.rounds)]
    peak, start = max(t[1] for t in turns), statistics.median(t[2] for t in turns)
    first = min(rivals, key=lambda r: r.start)
    return {"model": options.models, "what": what, "batch": options.batch, "frames": options.frames, "size": options.size,
            "device": options.device, "precision": options.precision, "isa": options.isa, "threads": options.threads,
            "torch": best.version, "laban_seconds": statistics.median(t[0] for t in turns),
            "torch_seconds": {r.way: statistics.median(r.seconds) for r in rivals}, "fastest": best.way,
            "ratio": statistics.median(ratios), "ratios": ratios, "laban_peak_bytes": peak, "torch_peak_bytes": best.peak,
            "memory_ratio": peak / best.peak, "laban_start_seconds": start, "torch_start_seconds": first.start,
            "start_ratio": start / first.start}


def main():
    options = arguments()
    if options.child:
        return child(options)
    names, shape = options.models.split(","), (options.batch, options.frames, options.size)
    rows = []
    for name in names:
        options.models = name
        options.batch, options.frames, options.size = (
            given or default for given, default in zip(shape, CLIPS.get(name, OTHER_CLIPS)))
        for what in options.what.split(","):
            rows.append(measure(options, what))
            if options.json:
                print(json.dumps(rows[-1]), flush=True)
    if options.json:
        return
    mib = 1024 * 1024
    print(f"\n{options.device}, {options.isa}, laban {options.precision}, PyTorch {rows[0]['torch']}, {options.threads} thread(s), "
          f"medians of {options.rounds} rounds of {options.steps} steps\n")
    print("| model, clips | step | laban, s | PyTorch, s (fastest way) | times as fast | memory, MiB | of PyTorch's "
          "| start to first step, s | of PyTorch's |\n|---|---|---|---|---|---|---|---|---|")
    for r in rows:
        print(f"| {r['model']}, {r['batch']} x {r['frames']}x{r['size']}x{r['size']} | {r['what']} | {r['laban_seconds']:.3f} "
              f"| {r['torch_seconds'][r['fastest']]:.3f} ({r['fastest']}) | {r['ratio']:.2f} ({min(r['ratios']):.2f} - "
              f"{max(r['ratios']):.2f}) | {r['laban_peak_bytes'] / mib:.0f} | {r['memory_ratio']:.2f} "
              f"| {r['laban_start_seconds']:.2f} | {r['start_ratio']:.2f} |")


if __name__ == "__main__":
    main()
