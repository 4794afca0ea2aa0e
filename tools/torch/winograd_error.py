#!/usr/bin/python3
"""How far Winograd's convolutions in f32 are from f64, beside f32 sums in one chain: the table of docs/cpu-backend.md.

    tools/torch/winograd_error.py --channels 64 --channels 128

Normal weights, rectified normal inputs, 3 x 3 taps (or 3 along one axis). Each entry is a root mean square error divided
by that of direct sums over channels and taps, one after the other. Needs NumPy.
"""
import argparse

import numpy as np

POINTS = {"F(2)": [0, 1, -1], "F(4)": [0, 1, -1, 0.5, -2], "F(4) usual": [0, 1, -1, 2, -2]}


def matrices(points):
    """A^T, G and B^T of F(m, 3) from m + 1 points and infinity, after Cook and Toom."""
    size = len(points) + 1
    at, g, bt = np.zeros((size - 2, size)), np.zeros((size, 3)), np.zeros((size, size))
    for i, p in enumerate(points):
        others = points[:i] + points[i + 1:]
        at[:, i] = [float(p)**row for row in range(size - 2)]
        g[i] = np.array([1.0, p, p * p]) / np.prod([p - q for q in others])
        bt[i, :size - 1] = np.poly(others)[::-1]
    at[-1, -1] = g[-1, -1] = 1
    bt[-1] = np.poly(points)[::-1]
    return [m.astype(np.float32) for m in (at, g, bt)]


def ratio(rows, columns, channels, block, outputs=16, tiles=200):
    """Of F(rows) x F(columns), the products summed in blocks of so many channels. `columns` None: along one axis."""
    rng = np.random.default_rng(0)
    one = [np.ones((1, 1), np.float32)] * 3
    (ar, gr, br), (ac, gc, bc) = matrices(POINTS[rows]), matrices(POINTS[columns]) if columns else one
    kr, kc = gr.shape[1], gc.shape[1]
    d = np.maximum(rng.standard_normal((channels, br.shape[0], bc.shape[0], tiles)), 0).astype(np.float32)
    g = (rng.standard_normal((outputs, channels, kr, kc)) / np.sqrt(channels * kr * kc)).astype(np.float32)
    v = np.einsum("fb,iebt->ieft", bc, np.einsum("ea,iabt->iebt", br, d)).reshape(channels, -1, tiles)
    u = np.einsum("fs,oies->oief", gc, np.einsum("er,oirs->oies", gr, g)).reshape(outputs, channels, -1)
    total = np.zeros((outputs,) + v.shape[1:], np.float32)
    for first in range(0, channels, block):
        sums = np.zeros_like(total)
        for i in range(first, min(first + block, channels)):
            sums += u[:, i, :, None] * v[i][None]
        total += sums
    m = total.reshape(outputs, br.shape[0], bc.shape[0], tiles)
    y = np.einsum("nf,omft->omnt", ac, np.einsum("me,oeft->omft", ar, m))
    exact, direct = np.zeros(y.shape), np.zeros(y.shape, np.float32)
    for k in range(kr):
        for l in range(kc):
            for i in range(channels):
                seen = d[i, k:k + y.shape[1], l:l + y.shape[2]]
                weight = g[:, i, k, l][:, None, None, None]
                exact += weight.astype(np.float64) * seen
                direct += weight * seen
    return np.sqrt(np.mean((y - exact)**2) / np.mean((direct - exact)**2))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--channels", type=int, action="append", help="input channels [64 128]")
    parser.add_argument("--block", type=int, default=32, help="channels in a sum of F(4)'s [32]")
    options = parser.parse_args()
    print("channels  F(2x2)    F(4)  F(4x2)  F(4x4)  F(4x4), usual points, one chain")
    for n in options.channels or [64, 128]:
        print(f"{n:8}", *(f"{ratio(*tiling, n, block):7.2f}" for tiling, block in [
            (("F(2)", "F(2)"), n), (("F(4)", None), options.block), (("F(4)", "F(2)"), options.block),
            (("F(4)", "F(4)"), options.block), (("F(4) usual", "F(4) usual"), n)]))


if __name__ == "__main__":
    main()
