#!/usr/bin/python3
"""Writes golden_torchvision.inc: what PyTorch and torchvision compute, in f64, for weights and clips from a formula
that test_golden.cpp evaluates as well. Needs Debian's python3-torch and python3-torchvision; the tests do not.

    python3 tests/models/make_golden.py > tests/models/golden_torchvision.inc
"""
import numpy as np
import torch
from torch import nn
from torchvision.models import video
from torchvision.models.video import resnet

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


def formula(name, count):
    """Evenly spread over [-0.5, 0.5), no two names alike."""
    i = np.arange(count, dtype=np.float64)
    v = i * 0.6180339887498949 + sum(map(ord, name)) * 0.7548776662466927
    return torch.from_numpy(v - np.floor(v) - 0.5)


def narrow(block, conv_makers, stem, planes, middle, blocks, classes):
    """torchvision's VideoResNet with fewer channels: its own blocks and convolutions, another table."""
    net = resnet.VideoResNet(block, conv_makers, blocks, stem, classes)
    if middle:
        net.stem = nn.Sequential(
            nn.Conv3d(3, middle, (1, 7, 7), (1, 2, 2), (0, 3, 3), bias=False), nn.BatchNorm3d(middle), nn.ReLU(),
            nn.Conv3d(middle, planes[0], (3, 1, 1), (1, 1, 1), (1, 0, 0), bias=False), nn.BatchNorm3d(planes[0]), nn.ReLU())
    else:
        net.stem = nn.Sequential(nn.Conv3d(3, planes[0], (3, 7, 7), (1, 2, 2), (1, 3, 3), bias=False),
                                 nn.BatchNorm3d(planes[0]), nn.ReLU())
    net.inplanes = planes[0]
    for i, p in enumerate(planes):
        setattr(net, f"layer{i + 1}", net._make_layer(block, conv_makers[i], p, blocks[i], 1 if i == 0 else 2))
    net.fc = nn.Linear(planes[-1] * block.expansion, classes)
    return net


def fill(net):
    for name, p in net.named_parameters():
        u = formula(name, p.numel()).reshape(p.shape)
        if p.dim() == 1:
            u = u + (1 if name.endswith("weight") else 0)
        else:
            u = u * (12 / (p.numel() / p.shape[0])) ** 0.5
        p.data.copy_(u)


def projections(name, tensor):
    flat = tensor.reshape(-1)
    return f"{flat.norm().item():.17g}, {(flat * formula(name + '?', flat.numel())).sum().item():.17g}"


def emit(name, net, clip, every_tensor):
    fill(net)
    n, classes = clip[0], net.fc.out_features
    x = (formula("clips", int(np.prod(clip))) * 4).reshape(clip).requires_grad_()
    labels = torch.tensor([(3 * i + 1) % classes for i in range(n)])
    net.train()
    logits = net(x)
    losses = nn.functional.cross_entropy(logits, labels, label_smoothing=0.1, reduction="none")
    losses.mean().backward()
    net.eval()
    with torch.no_grad():
        probabilities = net(x).softmax(1)
    numbers = lambda t: ", ".join(f"{v:.17g}" for v in t.detach().reshape(-1).tolist())
    print(f'{{"{name}", {{{clip[0]}, {clip[1]}, {clip[2]}, {clip[3]}, {clip[4]}}}, {classes},')
    print(f" {{{numbers(logits)}}},\n {{{numbers(losses)}}},\n {{{numbers(probabilities)}}},")
    print(" {" + f'{{"clips", {projections("clips", x.grad)}}},')
    for key, p in net.named_parameters():
        if every_tensor or key.startswith(("stem.0", "fc", "layer4.1.conv2")):
            print(f'  {{"{key}", {projections(key, p.grad)}}},')
    for key, b in net.named_buffers():
        if "running" in key and (every_tensor or key.startswith(("stem.1.", "layer4.1.conv2"))):
            print(f'  {{"{key}", {projections(key, b)}}},')
    print(" }},")


print("// Written by make_golden.py with torch", torch.__version__.split("+")[0] + ". Not to be edited by hand.")
print("// clang-format off")
S, T, N = resnet.Conv3DSimple, resnet.Conv2Plus1D, resnet.Conv3DNoTemporal
basic, bottleneck = resnet.BasicBlock, resnet.Bottleneck
clip, small = (2, 3, 4, 24, 24), (3, 3, 5, 17, 20)
planes, two = [6, 8, 10, 12], [2, 2, 2, 2]
emit("r3d narrow", narrow(basic, [S] * 4, resnet.BasicStem, planes, 0, two, 5), small, True)
emit("mc3 narrow", narrow(basic, [S] + [N] * 3, resnet.BasicStem, planes, 0, two, 5), small, True)
emit("r2plus1d narrow", narrow(basic, [T] * 4, resnet.R2Plus1dStem, planes, 5, two, 5), small, True)
emit("r3d bottleneck", narrow(bottleneck, [S] * 4, resnet.BasicStem, [4, 4, 4, 4], 0, [1] * 4, 5), small, True)
emit("r2plus1d bottleneck", narrow(bottleneck, [T] * 4, resnet.R2Plus1dStem, [4, 4, 4, 4], 5, [1] * 4, 5), small, True)
emit("r3d_18", video.r3d_18(num_classes=10), clip, False)
emit("mc3_18", video.mc3_18(num_classes=10), clip, False)
emit("r2plus1d_18", video.r2plus1d_18(num_classes=10), clip, False)
