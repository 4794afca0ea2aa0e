"""laban's models as PyTorch modules, and safetensors files: what compare_torch.py measures against.

Needs torch and torchvision (Debian: python3-torch, python3-torchvision). The modules are torchvision's own wherever
torchvision has them; the others are put together from its parts.
"""
import json

import numpy as np
import torch
from torch import nn
from torchvision.models.video import resnet

BLOCKS = {"18": [2, 2, 2, 2], "34": [3, 4, 6, 3], "50": [3, 4, 6, 3]}


class PerConv(resnet.Conv2Plus1D):
    """(2+1)D with midplanes from each convolution's own channels (the paper, VMZ)."""

    def __init__(self, in_planes, out_planes, midplanes=None, stride=1, padding=1):
        own = in_planes * out_planes * 27 // (in_planes * 9 + 3 * out_planes)
        super().__init__(in_planes, out_planes, own, stride, padding)


class Subsample(nn.Module):
    """Shortcut A, with its gradient (Hara's program cuts that off)."""

    def __init__(self, stride, channels):
        super().__init__()
        self.stride, self.channels = stride, channels

    def forward(self, x):
        t, h, w = self.stride
        x = x[:, :, ::t, ::h, ::w]
        return nn.functional.pad(x, (0, 0, 0, 0, 0, 0, 0, self.channels - x.shape[1]))


def conv_norm_relu(inside, outside, kernel, stride):
    padding = tuple(k // 2 for k in kernel)
    return [nn.Conv3d(inside, outside, kernel, stride, padding, bias=False), nn.BatchNorm3d(outside), nn.ReLU(inplace=True)]


def build(model, classes, planes=(64, 128, 256, 512), blocks=None, block=None, stem_planes=64, stem_midplanes=45,
          midplanes="torchvision", shortcut="B", norm_eps=1e-5):
    """A laban model by its name and settings; the other arguments make narrow and shallow ones of the same kind."""
    family, depth = model.rsplit("_", 1)
    simple, flat = resnet.Conv3DSimple, resnet.Conv3DNoTemporal
    factorized = PerConv if midplanes == "per-conv" else resnet.Conv2Plus1D
    convs = {"r3d": [simple] * 4, "mc3": [simple, flat, flat, flat], "rmc3": [flat, simple, simple, simple],
             "r2plus1d": [factorized] * 4, "resnet3d": [simple] * 4}[family]
    bottleneck = block == "bottleneck" if block else depth == "50"
    kind = resnet.Bottleneck if bottleneck else resnet.BasicBlock
    blocks = blocks or BLOCKS[depth]
    net = resnet.VideoResNet(kind, convs, blocks, resnet.BasicStem, classes)
    # Layer by layer, as VideoResNet's constructor does it, with any numbers of channels.
    if family == "r2plus1d":
        stem = conv_norm_relu(3, stem_midplanes, (1, 7, 7), (1, 2, 2)) + conv_norm_relu(stem_midplanes, stem_planes, (3, 1, 1), 1)
    else:
        stem = conv_norm_relu(3, stem_planes, {"rmc3": (1, 7, 7), "resnet3d": (7, 7, 7)}.get(family, (3, 7, 7)), (1, 2, 2))
    if family == "resnet3d":
        stem.append(nn.MaxPool3d(3, 2, 1))
    net.stem = nn.Sequential(*stem)
    net.inplanes = stem_planes
    for i, p in enumerate(planes):
        layer = net._make_layer(kind, convs[i], p, blocks[i], 1 if i == 0 else 2)
        if shortcut == "A" and layer[0].downsample is not None:
            layer[0].downsample = Subsample(layer[0].downsample[0].stride, p * kind.expansion)
        setattr(net, f"layer{i + 1}", layer)
    net.fc = nn.Linear(planes[-1] * kind.expansion, classes)
    for m in net.modules():
        if isinstance(m, nn.BatchNorm3d):
            m.eps = norm_eps
    return net


# ---- safetensors -----------------------------------------------------------------------------------------------------

DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64}


def write_safetensors(path, tensors):
    names = {dtype: name for name, dtype in DTYPES.items()}
    tensors = {k: t.detach().contiguous() for k, t in tensors.items()}
    order = sorted(tensors, key=lambda k: -tensors[k].element_size())
    header, offset = {}, 0
    for k in order:
        end = offset + tensors[k].numel() * tensors[k].element_size()
        header[k] = {"dtype": names[tensors[k].dtype], "shape": list(tensors[k].shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for k in order:
            file.write(tensors[k].view(-1).view(torch.uint8).numpy().tobytes() if tensors[k].dim() else
                       tensors[k].reshape(1).view(torch.uint8).numpy().tobytes())


def read_safetensors(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    tensors = {}
    for k, entry in header.items():
        if k != "__metadata__":
            begin, end = entry["data_offsets"]
            raw = torch.from_numpy(np.frombuffer(data, np.uint8, end - begin, begin).copy())
            tensors[k] = raw.view(DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return tensors
