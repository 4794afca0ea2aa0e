#!/usr/bin/python3
"""Is laban the same network as torchvision's? Draws weights and clips, runs both programs, and prints a table per tensor:
logits, loss, every gradient, running statistics, and the weights after five steps of SGD with momentum and of AdamW.

    tools/torch/compare_torch.py                       all models that must agree, in eval and train mode
    tools/torch/compare_torch.py --model r3d_18 --brief
    tools/torch/compare_torch.py --draws 9             f32 alone, medians over so many networks and clips
    tools/torch/compare_torch.py --golden tests/golden   writes the expected values of the tests instead

An error is norm(laban - torch64) / norm(torch64), the whole tensor at once. Columns: laban on the reference backend in
f64; torch in f32; laban on --device in f32. The first must be below 1e-9 for every tensor; after five updates, where a
tensor is further off, below what torch's own result moves by when half of the clips' numbers do by one unit in the last
place of f64 (AdamW divides by the root of squares: where a gradient is nearly 0, so is what rounding is divided by). The
others are compared in sum: ReLUs near zero switch with the rounding, so single gradients of deep networks differ by 1e-5 to 1e-2, torch's as
well. Exits with 1 where something is too far off. Needs torch and torchvision.
"""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile

import torch
from torch import nn

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import torch_golden
from torch_peer import build, read_safetensors, write_safetensors

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MODELS = ["r3d_18", "mc3_18", "r2plus1d_18", "r3d_50"]
OPTIMIZERS = {
    "sgd": (["--optimizer", "sgd", "--lr", "0.01", "--momentum", "0.9", "--weight-decay", "1e-4"],
            lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, weight_decay=1e-4)),
    "adamw": (["--optimizer", "adamw", "--lr", "1e-3", "--weight-decay", "0.01"],
              lambda p: torch.optim.AdamW(p, lr=1e-3, weight_decay=0.01)),
}
LIMIT_F64 = 1e-9
LIMIT_F32 = 2.5  # times torch's own f32 error, in sum; "about twice"
STEPS = 5


def draw(name, options, clip, classes, seed):
    """A network with weights that f32 holds exactly and nothing at its initial 0 or 1, and clips for it."""
    torch.manual_seed(seed)
    net = build(name, classes, **options)
    with torch.no_grad():
        for m in net.modules():
            if isinstance(m, nn.BatchNorm3d):
                m.weight.uniform_(0.5, 1.5)
                m.bias.normal_(0, 0.2)
                m.running_mean.normal_(0, 0.2)
                m.running_var.uniform_(0.5, 1.5)
        net.fc.weight.normal_(0, 0.05)
        net.fc.bias.normal_(0, 0.05)
    return net, torch.randn(clip), torch.randint(classes, (clip[0],))


def torch_pass(net, dtype, clips, labels, train):
    net = net.to(dtype).train(train)
    x = clips.to(dtype, copy=True).requires_grad_()
    logits = net(x)
    loss = nn.functional.cross_entropy(logits, labels)
    loss.backward()
    out = {"logits": logits, "loss": loss, "grad.clips": x.grad}
    out.update({"grad." + k: p.grad for k, p in net.named_parameters()})
    if train:
        out.update({"stats." + k: b for k, b in net.named_buffers()})
    return {k: t.detach().to(torch.float64) for k, t in out.items()}


def nudged(clips, seed):
    """The same clips in f64, half of their numbers larger by one unit in the last place."""
    chosen = torch.rand(clips.shape, generator=torch.Generator().manual_seed(seed)) < 0.5
    clips = clips.to(torch.float64)
    return torch.where(chosen, torch.nextafter(clips, torch.full_like(clips, torch.inf)), clips)


def torch_steps(net, dtype, clips, labels, optimizer):
    net = net.to(dtype).train()
    chosen = OPTIMIZERS[optimizer][1](net.parameters())
    losses = []
    for _ in range(STEPS):
        chosen.zero_grad()
        loss = nn.functional.cross_entropy(net(clips.to(dtype)), labels)
        loss.backward()
        chosen.step()
        losses.append(loss.detach())
    out = {"losses": torch.stack(losses)}
    out.update({"weights." + k: p for k, p in net.named_parameters()})
    out.update({"stats." + k: b for k, b in net.named_buffers()})
    return {k: t.detach().to(torch.float64) for k, t in out.items()}


class Laban:
    def __init__(self, program, folder, model_flags):
        self.program, self.folder, self.model_flags = program, folder, model_flags

    def put(self, net, clips, labels):
        write_safetensors(f"{self.folder}/w.safetensors", net.state_dict())
        write_safetensors(f"{self.folder}/x.safetensors", {"clips": clips, "labels": labels})

    def run(self, *flags):
        out = f"{self.folder}/y.safetensors"
        files = ["--weights", f"{self.folder}/w.safetensors", "--input", f"{self.folder}/x.safetensors", "--output", out]
        subprocess.run([self.program, "forward", *self.model_flags, *files, *flags], check=True, stderr=subprocess.PIPE, text=True)
        return {k: t.to(torch.float64) for k, t in read_safetensors(out).items()}


def error(got, want):
    norm = want.norm().item()
    return (got - want).norm().item() / norm if norm else (got - want).norm().item()


def total(got, want, kind):
    """The error of all tensors of a kind taken as one vector; their norms made equal, so that each counts."""
    keys = [k for k in want if k.startswith(kind) and not k.endswith("num_batches_tracked")]
    return (sum(error(got[k], want[k]) ** 2 for k in keys) / len(keys)) ** 0.5 if keys else 0.0


def compare(title, want, reference, torch32, laban32, brief, again=None):
    """Prints the table of one comparison and returns its complaints. `again`: torch's f64 results from clips that were
    nudged, made where they are needed."""
    complaints, doubtful = [], []
    for other, who in ((reference, "reference"), (laban32, "f32")):
        if other is not None and set(other) != set(want):
            complaints.append(f"{title}: {who} has other tensors: {sorted(set(other) ^ set(want))[:5]}")
            return complaints
    print(f"\n{title}\n{'tensor':42} {'elements':>10} {'norm':>10} {'f64':>9} {'torch f32':>9} {'laban f32':>9}")
    worst = ("", 0.0)
    for k, w in want.items():
        e = error(reference[k], w)
        if not e <= worst[1]:
            worst = (k, e)
        if not brief:
            f32 = f"{error(torch32[k], w):9.1e} {error(laban32[k], w):9.1e}" if laban32 else ""
            print(f"{k:42} {w.numel():10d} {w.norm().item():10.3e} {e:9.1e} {f32}")
        if not e <= LIMIT_F64:
            doubtful.append((k, e))
    print(f"worst in f64: {worst[0]} {worst[1]:.1e}")
    others = [again(seed) for seed in range(3)] if doubtful and again else []
    for k, e in doubtful:
        itself = max((error(other[k], want[k]) for other in others), default=0)
        if itself:
            print(f"{k} is off by {e:.1e}; torch from itself, its clips nudged: {itself:.1e}")
        if not e <= itself:
            complaints.append(f"{title}: {k} is off by {e:.1e} in f64")
    for kind in ("logits", "loss", "grad.", "weights.", "stats."):
        if laban32 and total(torch32, want, kind):
            ours, theirs = total(laban32, want, kind), total(torch32, want, kind)
            print(f"{kind:8} in f32: torch {theirs:.2e}, laban {ours:.2e}, {ours / theirs:.2f} times")
            if kind == "grad." and not ours <= LIMIT_F32 * theirs:
                complaints.append(f"{title}: in f32 the gradients are {ours / theirs:.1f} times as far off as torch's")
    return complaints


def compare_model(args, name, folder):
    options = {k: v for k, v in (("midplanes", args.midplanes), ("shortcut", args.shortcut), ("norm_eps", args.norm_eps)) if v}
    flags = ["--model", name] + [f for k, v in options.items() for f in ("--" + k.replace("_", "-"), str(v))]
    laban = Laban(args.laban, folder, flags)
    clip = [args.clips, 3, args.frames, args.size, args.size]
    new = lambda: draw(name, options, clip, args.classes, args.seed)
    net, clips, labels = new()
    laban.put(net, clips, labels)
    title = f"{' '.join(flags[1:])}, {args.clips} clips of {args.frames}x{args.size}x{args.size}"
    complaints = []
    reference, f32 = ["--device", "reference", "--precision", "f64"], ["--device", args.device, "--precision", "f32"]
    for mode in ("eval", "train"):
        train = mode == "train"
        flags = ["--mode", mode, "--gradients"]
        want = torch_pass(new()[0], torch.float64, clips, labels, train)
        complaints += compare(f"{title}, {mode}", want, laban.run(*flags, *reference),
                              torch_pass(new()[0], torch.float32, clips, labels, train), laban.run(*flags, *f32), args.brief)
    for optimizer, (flags, _) in OPTIMIZERS.items():
        want = torch_steps(new()[0], torch.float64, clips, labels, optimizer)
        flags = ["--mode", "train", "--steps", str(STEPS), *flags]
        complaints += compare(f"{title}, {STEPS} steps of {optimizer}", want, laban.run(*flags, *reference),
                              torch_steps(new()[0], torch.float32, clips, labels, optimizer), laban.run(*flags, *f32), args.brief,
                              lambda seed: torch_steps(new()[0], torch.float64, nudged(clips, seed), labels, optimizer))
    return complaints


def compare_draws(args, name, folder):
    """f32 by f32 over several draws: one ReLU that switches decides a single draw, but not the median."""
    flags = ["--model", name]
    laban, clip = Laban(args.laban, folder, flags), [args.clips, 3, args.frames, args.size, args.size]
    errors = {}
    for seed in range(args.seed, args.seed + args.draws):
        new = lambda: draw(name, {}, clip, args.classes, seed)
        net, clips, labels = new()
        laban.put(net, clips, labels)
        runs = [(mode, torch_pass, mode == "train", ["--mode", mode, "--gradients"]) for mode in ("eval", "train")]
        runs += [(f"{STEPS} steps of {o}", torch_steps, o, ["--mode", "train", "--steps", str(STEPS), *chosen[0]])
                 for o, chosen in OPTIMIZERS.items()]
        for title, torch_run, how, flags in runs:
            want, torch32 = (torch_run(new()[0], d, clips, labels, how) for d in (torch.float64, torch.float32))
            laban32 = laban.run(*flags, "--device", args.device, "--precision", "f32")
            for kind in ("logits", "loss", "grad.", "weights.", "stats."):
                theirs, ours = total(torch32, want, kind), total(laban32, want, kind)
                if theirs:
                    errors.setdefault((title, kind), []).append((theirs, ours, ours / theirs))
            last = ", ".join(f"{k} {rows[-1][2]:.2f}" for (t, k), rows in errors.items() if t == title)
            print(f"{name}, draw {seed - args.seed + 1} of {args.draws}, {title}: times torch's error: {last}", file=sys.stderr, flush=True)
    print(f"\n{name}, {args.clips} clips of {args.frames}x{args.size}x{args.size}, {args.draws} draws: medians in f32")
    print(f"{'':18} {'':9} {'torch':>9} {'laban':>9} {'ratio':>6} {'of ratios':>14}")
    complaints = []
    for (title, kind), rows in errors.items():
        theirs, ours, ratio = (statistics.median(column) for column in zip(*rows))
        ratios = [row[2] for row in rows]
        print(f"{title:18} {kind:9} {theirs:9.2e} {ours:9.2e} {ratio:6.2f} {min(ratios):6.2f} - {max(ratios):.2f}")
        if not ratio <= LIMIT_F32:
            complaints.append(f"{name}, {title}: in f32 {kind} are {ratio:.1f} times as far off as torch's")
    return complaints


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--laban", default=f"{ROOT}/build/laban", help="the program")
    parser.add_argument("--model", action="append", help=f"any model of laban's [{' '.join(MODELS)}]")
    parser.add_argument("--midplanes")
    parser.add_argument("--shortcut")
    parser.add_argument("--norm-eps", type=float)
    parser.add_argument("--clips", type=int, default=2)
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="cpu", help="where f32 runs")
    parser.add_argument("--brief", action="store_true", help="the worst tensor only")
    parser.add_argument("--draws", type=int, help="compare f32 alone, over so many draws")
    parser.add_argument("--golden", metavar="FOLDER", help="write the tests' expected values there, and compare nothing")
    args = parser.parse_args()
    torch.set_num_threads(os.cpu_count())
    if args.golden:
        torch_golden.write_all(args.golden)
        return 0
    complaints = []
    for name in args.model or MODELS:
        with tempfile.TemporaryDirectory() as folder:
            try:
                complaints += (compare_draws if args.draws else compare_model)(args, name, folder)
            except subprocess.CalledProcessError as failed:
                complaints.append(f"{name}: {failed.stderr}")
    print("\n" + ("\n".join(complaints) if complaints else "all agree"))
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
