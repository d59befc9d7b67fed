"""Trains one net and exports it as ONNX. Called by main.ts, once for each net:

    train.py filter|white|black <data folder> <out .onnx> --epochs N --seed N --threads N

Prints one line of JSON a epoch, and last one with what the model card tells. With one thread the
same seed, machine type and torch give the same bytes."""
import argparse
import json
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

import pictures
from nets import CROP_SIZE, FRAME_SIZE, Filter, Identity, Margin

BATCH = 32


def say(**fields):
    print(json.dumps(fields), flush=True)


def schedule(parameters, decay, steps, rate=2e-3):
    optimiser = torch.optim.AdamW(parameters, lr=rate, weight_decay=decay)
    return optimiser, torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps)


def corners(box):
    half = box[:, 2:] / 2
    return torch.cat([box[:, :2] - half, box[:, :2] + half], 1)


def overlap(a, b):
    """Intersection over union of boxes given by their corners."""
    low, high = torch.maximum(a[:, :2], b[:, :2]), torch.minimum(a[:, 2:], b[:, 2:])
    shared = (high - low).clamp(min=0).prod(1)
    return shared / ((a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1) - shared + 1e-6)


def filter_loss(logits, found, boxes, black, share):
    cow = F.binary_cross_entropy_with_logits(logits[:, 0], found)
    at = found > 0.5
    told = torch.sigmoid(logits[at, 1:5])
    # Identification suffers from a loose box more than the filter from any other fault of it.
    box = 2 * (1 - overlap(corners(told), corners(boxes[at]))).mean() + 5 * F.smooth_l1_loss(
        told, boxes[at], beta=0.02)
    # A share near one half is the hard case: the logit learns how far from it the coat lies.
    aim = torch.sigmoid((share[at] - 0.5) * 24)
    coat = F.binary_cross_entropy_with_logits(logits[at, 5], 0.5 * aim + 0.5 * black[at])
    return cow + box + 0.7 * coat


def train_filter(folder, epochs, rng):
    labels, frames, _ = pictures.load(folder)
    hard = np.array([i for i, label in enumerate(labels) if label["cow"] >= 0 and label["hard"]])
    fair = np.array([i for i, label in enumerate(labels)
                     if label["cow"] >= 0 and not label["hard"]])
    empties = np.array([i for i, label in enumerate(labels) if label["cow"] < 0])
    found = np.array([label["cow"] >= 0 for label in labels], np.float32)
    raw = np.array([label["box"] or [0.4, 0.4, 0.6, 0.6] for label in labels], np.float32)
    boxes = np.concatenate([(raw[:, :2] + raw[:, 2:]) / 2, raw[:, 2:] - raw[:, :2]], 1)
    black = np.array([label["black"] for label in labels], np.float32)
    share = np.array([label["share"] for label in labels], np.float32)
    net = Filter().to(memory_format=torch.channels_last)
    grain = pictures.Grain(rng)
    # An epoch has every hard cow frame, two thirds as many fair ones and half as many empty ones;
    # which, is another draw each time. Boxes of hard frames are what takes longest to learn.
    fair_count, empty_count = (min(len(one), len(hard) * share // 6)
                               for one, share in ((fair, 4), (empties, 3)))
    steps = (len(hard) + fair_count + empty_count) // BATCH
    optimiser, rate = schedule(net.parameters(), 1e-3, steps * epochs)
    for epoch in range(epochs):
        started, total = time.time(), 0.0
        net.train()
        order = np.concatenate([hard, rng.permutation(fair)[:fair_count],
                                rng.permutation(empties)[:empty_count]])
        rng.shuffle(order)
        for step in range(steps):
            at = np.sort(order[step * BATCH:(step + 1) * BATCH])
            x = grain.add(pictures.relit(frames[at], rng), rng)
            t = [torch.from_numpy(v[at]) for v in (found, boxes, black, share)]
            loss = filter_loss(net.logits(x.to(memory_format=torch.channels_last)), *t)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            rate.step()
            total += loss.item()
        say(epoch=epoch + 1, loss=round(total / steps, 4), seconds=round(time.time() - started, 1))
    return net, {"cowFrames": len(hard) + len(fair), "emptyFrames": len(empties)}


def train_identity(folder, black, epochs, rng):
    labels, _, windows = pictures.load(folder)
    cows = [label for label in labels if label["cow"] >= 0]
    own = np.array([i for i, label in enumerate(cows) if label["black"] == black])
    names = np.array([label["cow"] for label in cows], np.int64)
    boxes = np.array([label["inWindow"] for label in cows], np.float32)
    count = int(names[own].max()) + 1
    net, margin = Identity().to(memory_format=torch.channels_last), Margin(count)
    grain = pictures.Grain(rng)
    steps = len(own) // BATCH
    parameters = list(net.parameters()) + list(margin.parameters())
    optimiser, rate = schedule(parameters, 5e-4, steps * epochs)
    for epoch in range(epochs):
        started, total, right = time.time(), 0.0, 0
        net.train()
        order = rng.permutation(own)
        # The margin rises over the first epochs; from the start it would hold training up.
        size = 0.25 * min(1.0, epoch / max(1.0, 0.3 * epochs))
        for step in range(steps):
            at = np.sort(order[step * BATCH:(step + 1) * BATCH])
            x = pictures.crops(pictures.relit(windows[at], rng), boxes[at], rng, 1.0)
            x = pictures.bars(grain.add(x, rng), rng, 2)
            y = torch.from_numpy(names[at])
            loss, cosines = margin(net(x.to(memory_format=torch.channels_last)), y, size)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            rate.step()
            total += loss.item()
            right += int((cosines.argmax(1) == y).sum())
        say(epoch=epoch + 1, loss=round(total / steps, 4), right=round(right / steps / BATCH, 4),
            seconds=round(time.time() - started, 1))
    return net, {"cows": count, "pictures": len(own)}


def export(net, path, size, inputs, outputs):
    net.eval()
    example = torch.zeros((1, 3) + size)
    axes = {name: {0: "n"} for name in [inputs] + outputs}
    torch.onnx.export(net, example, path, opset_version=13, input_names=[inputs],
                      output_names=outputs, dynamic_axes=axes)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("net", choices=["filter", "white", "black"])
    parser.add_argument("folder")
    parser.add_argument("out")
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    started = time.time()
    if options.net == "filter":
        net, told = train_filter(options.folder, options.epochs, rng)
        export(net, options.out, FRAME_SIZE, "frame", ["scene", "coat"])
    else:
        net, told = train_identity(options.folder, int(options.net == "black"), options.epochs, rng)
        export(net, options.out, CROP_SIZE, "crop", ["embedding"])
    parameters = sum(p.numel() for p in net.parameters())
    say(net=options.net, parameters=parameters, epochs=options.epochs, seed=options.seed,
        threads=options.threads, seconds=round(time.time() - started, 1),
        torch=torch.__version__, python=sys.version.split()[0], **told)


if __name__ == "__main__":
    main()
