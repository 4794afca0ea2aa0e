#!/usr/bin/env python3
"""A plain PyTorch script to hold laban's results against: the same small R(2+1)D, the same kind of recipe, the same time.

    tools/torch/baseline.py DATA --minutes 15 --seed 1 --json result.json

DATA is a folder of class folders, or a table with the columns path, label, split (split.csv). Needs torch, numpy and av
(PyAV). Every video is decoded once: KEPT frames, spread evenly over it, are kept at 9/8 of the clip's size. A clip is 16
of them, one from each stretch. SGD with Nesterov momentum and a one-cycle rate, label smoothing, dropout, flips, random
crops; as many epochs as the time allows, by the first one's duration. Prints accuracy and macro-F1 on the test split.
"""
import argparse, csv, json, math, os, random, sys, time

import av
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

KEPT, FRAMES = 48, 16


def read_table(data):
    """[(path, label, split)], classes. A folder without a table is split 80/10/10 by a hash of the name."""
    if os.path.isdir(data):
        tables = [os.path.join(data, name) for name in ("laban-index.csv", "split.csv")]
        data = next((table for table in tables if os.path.exists(table)), data)
    if os.path.isdir(data):
        sys.exit("give a table: `laban index DATA` writes one")
    with open(data, newline="") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    root = os.path.dirname(os.path.abspath(data))
    classes = sorted({row["label"] for row in rows})
    return [(os.path.join(root, row["path"]), classes.index(row["label"]), row["split"]) for row in rows], classes


def decode(path, height, width):
    frames = []
    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        for frame in container.decode(stream):
            frames.append(frame)
    chosen = [frames[int((k + 0.5) * len(frames) / KEPT)] for k in range(KEPT)]
    return np.stack([f.reformat(width=width, height=height, format="rgb24", interpolation="AREA").to_ndarray() for f in chosen])


def conv(kind, a, b, stride=1):
    if kind == "space":
        return nn.Sequential(nn.Conv3d(a, b, (1, 3, 3), (1, stride, stride), (0, 1, 1), bias=False), nn.BatchNorm3d(b))
    return nn.Sequential(nn.Conv3d(a, b, (3, 1, 1), (stride, 1, 1), (1, 0, 0), bias=False), nn.BatchNorm3d(b))


class Block(nn.Module):
    def __init__(self, a, b, stride):
        super().__init__()
        middle = a * b * 27 // (a * 9 + 3 * b)
        self.body = nn.Sequential(
            conv("space", a, middle, stride), nn.ReLU(True), conv("time", middle, b, stride), nn.ReLU(True),
            conv("space", b, middle), nn.ReLU(True), conv("time", middle, b))
        self.shortcut = nn.Identity() if a == b and stride == 1 else nn.Sequential(
            nn.Conv3d(a, b, 1, stride, bias=False), nn.BatchNorm3d(b))

    def forward(self, x):
        return F.relu(self.body(x) + self.shortcut(x))


def small_r2plus1d(classes, dropout):
    """laban's r2plus1d_tiny."""
    stem = nn.Sequential(nn.Conv3d(3, 16, (1, 5, 5), (1, 2, 2), (0, 2, 2), bias=False), nn.BatchNorm3d(16), nn.ReLU(True),
                         nn.Conv3d(16, 16, (3, 1, 1), 1, (1, 0, 0), bias=False), nn.BatchNorm3d(16), nn.ReLU(True))
    blocks = [Block(16, 16, 1), Block(16, 32, 2), Block(32, 64, 2), Block(64, 128, 2)]
    model = nn.Sequential(stem, *blocks, nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Dropout(dropout), nn.Linear(128, classes))
    for module in model.modules():
        if isinstance(module, nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return model


def clip_of(kept, height, width, training):
    step = KEPT // FRAMES
    offsets = [random.randrange(step) if training else step // 2 for _ in range(FRAMES)]
    frames = kept[[k * step + o for k, o in enumerate(offsets)]]
    dy, dx = kept.shape[1] - height, kept.shape[2] - width
    y, x = (random.randint(0, dy), random.randint(0, dx)) if training else (dy // 2, dx // 2)
    frames = frames[:, y:y + height, x:x + width]
    if training and random.random() < 0.5:
        frames = frames[:, :, ::-1]
    values = torch.from_numpy(np.ascontiguousarray(frames)).float().permute(3, 0, 1, 2)
    return (values / 255 - 0.45) / 0.225


def macro_f1(true, predicted, classes):
    scores = []
    for k in range(classes):
        hit = sum(t == p == k for t, p in zip(true, predicted))
        count, guessed = true.count(k), predicted.count(k)
        if count:
            scores.append(2 * hit / (count + guessed))
    return sum(scores) / len(scores)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--size", default="72x96", help="HEIGHTxWIDTH")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--lr", type=float, default=0.05)
    parser.add_argument("--weight-decay", type=float, default=1e-3)
    parser.add_argument("--dropout", type=float, default=0.3)
    parser.add_argument("--label-smoothing", type=float, default=0.1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json")
    options = parser.parse_args()
    begun = time.time()
    torch.set_num_threads(options.threads)
    for seed in (torch.manual_seed, random.seed, np.random.seed):
        seed(options.seed)
    height, width = map(int, options.size.split("x"))
    rows, classes = read_table(options.data)
    kept = [decode(path, height * 9 // 8, width * 9 // 8) for path, _, _ in rows]
    print(f"decoded {len(rows)} clips in {time.time() - begun:.0f} s", flush=True)
    train = [i for i, row in enumerate(rows) if row[2] == "train"]
    test = [i for i, row in enumerate(rows) if row[2] == "test"]

    model = small_r2plus1d(len(classes), options.dropout)
    optimizer = torch.optim.SGD(model.parameters(), lr=options.lr, momentum=0.9, nesterov=True,
                                weight_decay=options.weight_decay)
    loss_of = nn.CrossEntropyLoss(label_smoothing=options.label_smoothing)
    batches = len(train) // options.batch
    epochs, step, started = None, 0, time.time()
    while epochs is None or step < epochs * batches:
        random.shuffle(train)
        model.train()
        for b in range(batches):
            if step == 3:  # the first steps are slow
                started = time.time()
            if step == 8 or (epochs is None and b == batches - 1):
                per_step = (time.time() - started) / max(1, step - 3)
                left = options.minutes * 60 * 0.97 - (time.time() - begun) - len(test) / options.batch * per_step / 3
                epochs = max(1, int((step + left / per_step) / batches))
            total = (epochs or 10**6) * batches
            fraction = step / total
            rate = (0.04 + 0.96 * fraction / 0.3) if fraction < 0.3 else 0.5 * (1 + math.cos(math.pi * (fraction - 0.3) / 0.7))
            for group in optimizer.param_groups:
                group["lr"] = options.lr * rate
            items = train[b * options.batch:(b + 1) * options.batch]
            clips = torch.stack([clip_of(kept[i], height, width, True) for i in items])
            loss = loss_of(model(clips), torch.tensor([rows[i][1] for i in items]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
        print(f"epoch {step // batches}/{epochs}: loss {loss.item():.3f} [{time.time() - begun:.0f} s]", flush=True)

    model.eval()
    predicted = []
    with torch.no_grad():
        for b in range(0, len(test), options.batch):
            clips = torch.stack([clip_of(kept[i], height, width, False) for i in test[b:b + options.batch]])
            predicted += model(clips).argmax(1).tolist()
    true = [rows[i][1] for i in test]
    result = {"program": f"PyTorch {torch.__version__}", "data": options.data, "seed": options.seed, "epochs": epochs,
              "seconds": round(time.time() - begun, 1), "test_clips": len(test),
              "test_accuracy": sum(t == p for t, p in zip(true, predicted)) / len(test),
              "test_macro_f1": macro_f1(true, predicted, len(classes))}
    print(json.dumps(result))
    if options.json:
        with open(options.json, "w") as file:
            json.dump(result, file, indent=2)


if __name__ == "__main__":
    main()
