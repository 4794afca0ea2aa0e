"""The expected values of laban's tests, computed by PyTorch and torchvision in f64, so that the tests need neither.

Weights and clips come from a formula that tests/weights/golden.h evaluates as well. For each tensor two numbers are
kept: its norm, and its product with another formula's values. Called by compare_torch.py --golden.
"""
import argparse
import collections
import datetime
import json
import os
import pathlib

import numpy as np
import torch
from torch import nn
from torch_peer import build

NARROW = dict(planes=[6, 8, 10, 12], blocks=[2, 2, 2, 2], stem_planes=6, stem_midplanes=5)
DEEP = dict(planes=[4, 4, 4, 4], blocks=[1, 1, 1, 1], block="bottleneck", stem_planes=4, stem_midplanes=5)
ODD, SMALL = [3, 3, 5, 17, 20], [2, 3, 4, 24, 24]
# name of the file, model, settings, classes, clips, and whether optimizer steps and frozen statistics are covered too
NETWORKS = [
    ("r3d_narrow", "r3d_18", NARROW, 5, ODD, True),
    ("mc3_narrow", "mc3_18", NARROW, 5, ODD, True),
    ("rmc3_narrow", "rmc3_18", NARROW, 5, ODD, False),
    ("r2plus1d_narrow", "r2plus1d_18", NARROW, 5, ODD, True),
    ("r2plus1d_per_conv_narrow", "r2plus1d_18", dict(NARROW, midplanes="per-conv", norm_eps=1e-3), 5, ODD, False),
    ("r3d_bottleneck", "r3d_50", DEEP, 5, ODD, True),
    ("r2plus1d_bottleneck", "r2plus1d_50", DEEP, 5, ODD, False),
    ("r2plus1d_per_conv_bottleneck", "r2plus1d_50", dict(DEEP, midplanes="per-conv"), 5, ODD, False),
    ("resnet3d_narrow", "resnet3d_18", NARROW, 5, [3, 3, 9, 33, 40], False),
    ("resnet3d_shortcut_a_narrow", "resnet3d_18", dict(NARROW, shortcut="A"), 5, [3, 3, 9, 33, 40], True),
    ("resnet3d_bottleneck", "resnet3d_50", DEEP, 5, [3, 3, 9, 33, 40], False),
    ("r3d_18", "r3d_18", {}, 10, SMALL, False),
    ("mc3_18", "mc3_18", {}, 10, SMALL, False),
    ("r2plus1d_18", "r2plus1d_18", {}, 10, SMALL, False),
    ("r3d_50", "r3d_50", {}, 10, SMALL, False),
]
SMOOTHING, STEPS = 0.1, 5


def formula(name, count):
    """Evenly spread over [-0.5, 0.5), no two names alike."""
    v = np.arange(count, dtype=np.float64) * 0.6180339887498949 + sum(map(ord, name)) * 0.7548776662466927
    return torch.from_numpy(v - np.floor(v) - 0.5)


def fill(net):
    for name, p in net.named_parameters():
        u = formula(name, p.numel()).reshape(p.shape)
        if p.dim() == 1:
            u = u + (1 if name.endswith("weight") else 0)
        else:
            u = u * (12 / (p.numel() / p.shape[0])) ** 0.5
        p.data.copy_(u)
    return net


def projections(name, tensor):
    flat = tensor.detach().reshape(-1)
    return [flat.norm().item(), (flat * formula(name + "?", flat.numel())).sum().item()]


def numbers(tensor):
    return tensor.detach().reshape(-1).tolist()


def losses_of(logits, labels):
    return nn.functional.cross_entropy(logits, labels, label_smoothing=SMOOTHING, reduction="none")


def gradients(net, x):
    out = {"clips": projections("clips", x.grad)}
    out.update({k: projections(k, p.grad) for k, p in net.named_parameters()})
    net.zero_grad()
    x.grad = None
    return out


def network_values(model, settings, classes, clip, more):
    x = (formula("clips", int(np.prod(clip))) * 4).reshape(clip).requires_grad_()
    labels = torch.tensor([(3 * i + 1) % classes for i in range(clip[0])])
    new = lambda: fill(build(model, classes, **settings).double()).train()
    net = new()
    logits = net(x)
    losses = losses_of(logits, labels)
    losses.mean().backward()
    out = {"model": model, "settings": settings, "classes": classes, "clips": clip, "logits": numbers(logits), "losses": numbers(losses),
           "gradients": gradients(net, x),
           "statistics": {k: projections(k, b) for k, b in net.named_buffers() if "running" in k}}
    net.eval()
    out["probabilities"] = numbers(net(x).softmax(1))
    if more:
        losses_of(net(x), labels).mean().backward()
        out["frozen_gradients"] = gradients(net, x)
        out["steps"] = {}
        for kind, make in (("sgd", lambda p: torch.optim.SGD(p, lr=1e-4, momentum=0.9, weight_decay=1e-4)),
                           ("adamw", lambda p: torch.optim.AdamW(p, lr=1e-4, weight_decay=0.01))):
            net = new()
            optimizer, means = make(net.parameters()), []
            for _ in range(STEPS):
                optimizer.zero_grad()
                loss = losses_of(net(x), labels).mean()
                loss.backward()
                optimizer.step()
                means.append(loss.item())
            out["steps"][kind] = {"losses": means, "weights": {k: projections(k, p) for k, p in net.named_parameters()}}
    return out


# ---- files of torch.save --------------------------------------------------------------------------------------------


def sample_tensors():
    """Every element type, and every way for a tensor to lie in its storage."""
    shared = torch.arange(24, dtype=torch.float32) / 4
    state = collections.OrderedDict()
    state["single"] = torch.tensor([[1.0, -2.5, 3.25], [0.0, 1e-3, 7.0]])
    state["double"] = torch.tensor(0.1, dtype=torch.float64)
    state["half"] = torch.tensor([1.0, -0.333251953125, 65504.0], dtype=torch.float16)
    state["brain"] = torch.tensor([1.0, -0.333984375, 3.0e38], dtype=torch.bfloat16)
    state["long"] = torch.tensor(-5_000_000_000)
    state["int"] = torch.tensor([70000, -70000], dtype=torch.int32)
    state["short"] = torch.tensor([300, -300], dtype=torch.int16)
    state["char"] = torch.tensor([-3, 3], dtype=torch.int8)
    state["byte"] = torch.tensor([0, 255], dtype=torch.uint8)
    state["bool"] = torch.tensor([True, False])
    state["empty"] = torch.zeros(0, 4)
    state["shared.whole"] = shared.reshape(2, 3, 4)
    state["shared.transposed"] = shared.reshape(2, 3, 4).permute(2, 0, 1)
    state["shared.column"] = shared.reshape(6, 4)[1:, 2]
    state["shared.repeated"] = shared[5:7].unsqueeze(0).expand(3, 2)
    state["parameter"] = nn.Parameter(torch.tensor([4.0, 5.0]))
    return state


def write_files(folder):
    state = sample_tensors()
    values = {k: {"shape": list(t.shape), "values": t.detach().double().reshape(-1).tolist()} for k, t in state.items()}
    write_json(f"{folder}/tensors.json", values)
    torch.save(state, f"{folder}/tensors.pt")
    torch.save(state, f"{folder}/tensors_old.pth", _use_new_zipfile_serialization=False)
    # As training programs save: wrapped names, an optimizer with its state, other things beside.
    layer = nn.Linear(2, 1, bias=False)
    layer.weight.data = torch.tensor([[0.5, -1.0]])
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.25)
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    layer.weight.data = torch.tensor([[0.5, -1.0]])
    wrapped = nn.DataParallel(layer)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 3, 5])  # its state has a Counter
    checkpoint = {"epoch": 3, "arch": "resnet-18", "state_dict": wrapped.state_dict(), "optimizer": optimizer.state_dict(),
                  "scheduler": schedule.state_dict(), "best": 0.5, "nothing": None, "args": argparse.Namespace(lr=0.25, data="x")}
    torch.save(checkpoint, f"{folder}/checkpoint.pt")
    torch.save(checkpoint, f"{folder}/checkpoint_old.pth", _use_new_zipfile_serialization=False)
    torch.save(layer, f"{folder}/module.pt")  # a whole object: to be refused


def write_wrapped(folder):
    """A state dict wherever training programs put it, with what they leave beside it."""
    os.makedirs(folder, exist_ok=True)
    state = collections.OrderedDict([("module.weight", torch.tensor([[0.5, -1.0]]))])
    average = collections.OrderedDict([("module.weight", torch.tensor([[0.25, -1.0]]))])
    counts = collections.defaultdict(list)
    counts["steps"].append(3)
    beside = {"epoch": np.int64(3), "best_acc1": np.float64(71.5), "losses": np.array([0.5, 0.25]),
              "rng": np.random.RandomState(1).get_state(), "date": datetime.datetime(2020, 1, 2), "counts": counts,
              "out": pathlib.PurePosixPath("runs/1"), "best_tensor": torch.tensor(0.715)}
    files = {
        "numpy_scalars": {"state_dict": state, **beside},
        "net": {"net": state, "acc": 91.25, "epoch": 12},
        "model_state": {"epoch": 3, "model_state": state, "cfg": "MODEL: x"},
        "nested": {"model": {"state_dict": state, "config": {"depth": 18}}, "epoch": 1},
        "unusual": {"my_network": state, "epoch": 1},
        "with_ema": {"model": state, "ema": average, "optimizer": {"state": {0: {"step": torch.tensor(1.0)}}}},
        "only_ema": {"ema_state_dict": average, "step": 7},
        "two": {"generator": state, "discriminator": average},
        "two_usual": {"model": state, "net": average},
    }
    for name, content in files.items():
        for protocol in (2, 4):
            torch.save(content, f"{folder}/{name}_{protocol}.pth", pickle_protocol=protocol)


def write_json(path, value):
    """A line a key on the outer levels, so that changes show."""
    def lines(v, depth):
        if isinstance(v, dict) and depth < 3:
            inner = ",\n".join(" " * (depth + 1) + json.dumps(k) + ": " + lines(w, depth + 1) for k, w in v.items())
            return "{\n" + inner + "\n" + " " * depth + "}"
        return json.dumps(v)
    with open(path, "w") as file:
        file.write(lines(value, 0) + "\n")


def write_all(folder):
    os.makedirs(folder, exist_ok=True)
    torch.set_num_threads(1)  # sums in one order
    for file, model, settings, classes, clip, more in NETWORKS:
        values = {"written_by": f"tools/torch/compare_torch.py --golden, torch {torch.__version__.split('+')[0]}"}
        values.update(network_values(model, settings, classes, clip, more))
        write_json(f"{folder}/{file}.json", values)
        print(f"{folder}/{file}.json")
    write_files(folder)
    write_wrapped(f"{folder}/wrapped")
