"""The data set that dataset.ts writes, and what training does to its pictures."""
import glob
import json
import os

import numpy as np
import torch
import torch.nn.functional as F

from nets import CROP_SIZE

FRAME = (96, 128, 3)
WINDOW = (120, 160, 3)


def load(folder):
    """-> labels, and for each label its frame and (for a cow) its window, as uint8 arrays."""
    labels, frames, windows = [], [], []
    for path in sorted(glob.glob(os.path.join(folder, "labels-*.jsonl"))):
        shard = path.rsplit("-", 1)[1].split(".")[0]
        with open(path) as file:
            lines = [json.loads(line) for line in file]
        frames.append(mapped(os.path.join(folder, f"frames-{shard}.bin"), len(lines), FRAME))
        cows = sum(line["cow"] >= 0 for line in lines)
        windows.append(mapped(os.path.join(folder, f"windows-{shard}.bin"), cows, WINDOW))
        labels += lines
    return labels, np.concatenate(frames), np.concatenate(windows)


def mapped(path, count, size):
    shape = (count,) + size
    # An empty file cannot be mapped, and a shard may hold no cow.
    return np.memmap(path, np.uint8, "r", shape=shape) if count else np.zeros(shape, np.uint8)


def uniform(rng, low, high, *shape):
    return torch.from_numpy(rng.uniform(low, high, shape).astype(np.float32))


def relit(pictures, rng):
    """uint8 NHWC -> float NCHW, 0..1, each picture under another gamma, gain and tint.

    A table of 256 levels for each picture and channel is much faster than powers of pixels."""
    count, height, width, _ = pictures.shape
    out = np.empty((count, 3, height, width), np.float32)
    levels = np.linspace(0, 1, 256, dtype=np.float32)
    for i in range(count):
        curve = levels ** np.float32(rng.uniform(0.75, 1.3)) * np.float32(rng.uniform(0.55, 1.3))
        for channel in range(3):
            tinted = np.minimum(curve * np.float32(rng.uniform(0.92, 1.08)), 1)
            out[i, channel] = tinted[pictures[i, :, :, channel]]
    return torch.from_numpy(out)


class Grain:
    """Noise read from one long table: drawing as many normal numbers would cost a third more."""

    def __init__(self, rng, size=2 ** 21):
        self.table = torch.from_numpy(rng.standard_normal(size, dtype=np.float32))

    def add(self, pictures, rng, most=0.05):
        size = pictures[0].numel()
        for picture in pictures:
            start = int(rng.integers(0, len(self.table) - size))
            noise = self.table[start:start + size].view_as(picture)
            picture.add_(noise, alpha=float(rng.uniform(0, most)))
        return pictures.clamp_(0, 1)


def bars(pictures, rng, most):
    """Up to `most` grey bars across each picture, as rails and posts are."""
    height, width = pictures.shape[2:]
    for i in range(pictures.shape[0]):
        for _ in range(rng.integers(0, most + 1)):
            shade = float(rng.uniform(0.1, 0.9))
            thick = int(rng.integers(1, 5))
            if rng.random() < 0.6:
                y = int(rng.integers(0, height - thick))
                pictures[i, :, y:y + thick, :] = shade
            else:
                x = int(rng.integers(0, width - thick))
                pictures[i, :, :, x:x + thick] = shade
    return pictures


def crops(windows, boxes, rng, wild):
    """Cuts the grown box out of each window, with the errors that a predicted box has.

    boxes: [n, 4] as shares of the window. `wild` 0 gives the exact crop of run time."""
    count = windows.shape[0]
    boxes = torch.from_numpy(boxes)
    width = boxes[:, 2] - boxes[:, 0]
    height = boxes[:, 3] - boxes[:, 1]
    sides = []
    for side, sign, extent in ((0, -1, width), (1, -1, height), (2, 1, width), (3, 1, height)):
        errors = rng.normal(0, 0.022 * wild, count).astype(np.float32).clip(-0.07, 0.07)
        reach = extent * (0.05 + torch.from_numpy(errors))
        sides.append((boxes[:, side] + sign * reach).clamp(0, 1))
    left, top, right, bottom = sides
    turn = uniform(rng, -0.06, 0.06, count) * wild
    shear = uniform(rng, -0.06, 0.06, count) * wild
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0] = right - left
    theta[:, 0, 1] = (shear - turn) * (right - left)
    theta[:, 0, 2] = left + right - 1
    theta[:, 1, 0] = turn * (bottom - top)
    theta[:, 1, 1] = bottom - top
    theta[:, 1, 2] = top + bottom - 1
    grid = F.affine_grid(theta, (count, 3) + CROP_SIZE, align_corners=False)
    return F.grid_sample(windows, grid, padding_mode="border", align_corners=False)
