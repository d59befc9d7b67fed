"""The two shapes of net. Both read RGB shares 0..1 as NCHW and standardise each picture inside the
graph, so that light and contrast of a frame need no step outside."""
import torch
from torch import nn
import torch.nn.functional as F

# Height and width of what a net reads: the whole frame, or the crop of one cow.
FRAME_SIZE = (96, 128)
CROP_SIZE = (72, 96)


class Standardise(nn.Module):
    """Minus the mean of each channel, over the deviation of the whole picture."""

    def forward(self, x):
        centred = x - x.mean(dim=(2, 3), keepdim=True)
        deviation = (centred * centred).mean(dim=(1, 2, 3), keepdim=True).sqrt()
        return centred / (deviation + 1e-3)


def block(channels_in, channels_out, stride):
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
    )


def trunk(plan):
    layers, channels = [], 3
    for width, stride in plan:
        layers.append(block(channels, width, stride))
        channels = width
    return nn.Sequential(*layers)


class Filter(nn.Module):
    """A frame -> scene [cow, centre x, centre y, width, height], each 0..1 of the frame, and coat
    [white, black], which sum to 1."""

    def __init__(self):
        super().__init__()
        # Half the size is enough to find a cow; the pool also takes most of the noise away.
        self.standardise = nn.Sequential(Standardise(), nn.AvgPool2d(2))
        self.trunk = trunk([(24, 2), (32, 2), (48, 1), (48, 2)])
        self.scene = nn.Sequential(nn.Flatten(), nn.Linear(48 * 6 * 8, 128), nn.ReLU(inplace=True))
        self.out = nn.Linear(128, 6)

    def logits(self, x):
        return self.out(self.scene(self.trunk(self.standardise(x))))

    def forward(self, x):
        told = torch.sigmoid(self.logits(x))
        black = told[:, 5:6]
        return told[:, :5], torch.cat([1 - black, black], 1)


class Identity(nn.Module):
    """A cow's crop -> an embedding of length 1. The grid is kept: a patch has its place."""

    SIZE = 64

    def __init__(self):
        super().__init__()
        self.standardise = Standardise()
        self.trunk = trunk([(16, 2), (32, 2), (32, 1), (64, 2), (64, 1), (96, 2)])
        self.out = nn.Sequential(
            nn.Flatten(), nn.Dropout(0.2), nn.Linear(96 * 5 * 6, self.SIZE, bias=False),
            nn.BatchNorm1d(self.SIZE),
        )

    def forward(self, x):
        return F.normalize(self.out(self.trunk(self.standardise(x))), dim=1)


class Margin(nn.Module):
    """The additive cosine margin of CosFace (Wang et al., CVPR 2018) over the training cows."""

    def __init__(self, cows, scale=24.0):
        super().__init__()
        self.centres = nn.Parameter(torch.randn(cows, Identity.SIZE))
        self.scale = scale

    def forward(self, embeddings, cows, margin):
        cosines = embeddings @ F.normalize(self.centres, dim=1).t()
        own = F.one_hot(cows, cosines.shape[1])
        return F.cross_entropy(self.scale * (cosines - margin * own), cows), cosines
