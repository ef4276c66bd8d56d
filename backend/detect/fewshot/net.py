"""The detector's network: trained upper stages, a small feature pyramid and torchvision's FCOS head.

Everything speaks in pixels of the SIZE x SIZE canvas. A prediction point lies at each cell of the maps of stride 8, 16
and 32; a score is the root of the label's probability times the point's centredness, so no probability itself.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.fcos import FCOS, FCOSHead
from torchvision.models.detection.image_list import ImageList

from backend.detect.fewshot.backbone import CHANNELS, LOWER, MIDDLE, Conv, Lite0

SIZE = 320  # sides of the canvas in pixels
STRIDES = (8, 16, 32)
WIDTH = 64  # channels of the pyramid and the head
TRUNK = "trunk."  # what the names of the backbone's weights begin with
POINTS = sum((SIZE // stride) ** 2 for stride in STRIDES)


class _Merge(nn.Sequential):
    def __init__(self, into: int, kernel: int, *more: nn.Module) -> None:
        conv = nn.Conv2d(into, WIDTH, kernel, padding=kernel // 2, bias=False)
        super().__init__(conv, nn.GroupNorm(8, WIDTH), *more)


class _NoBackbone(nn.Module):
    out_channels = WIDTH


class Net(nn.Module):
    """The trained part: from the (N, 40, 40, 40) maps of `Lite0.lower` on.

    labels: how many. trunk: the backbone whose upper stages are trained along, unless they are frozen.
    """

    points: Tensor  # (P, 4): the cell of each point, as a box

    def __init__(self, labels: int, trunk: Lite0, *, frozen: bool = False) -> None:
        super().__init__()
        self.trunk = nn.ModuleList(trunk.blocks[LOWER:])
        for part in self.trunk.modules():
            if isinstance(part, Conv) and part.groups > 1:
                part.requires_grad_(False)  # its gradient costs a sixth of a step's time, for 2 % of the weights
        if frozen:
            self.trunk.requires_grad_(False)
        self.split = MIDDLE - LOWER
        self.lateral = nn.ModuleList(_Merge(channels, 1) for channels in CHANNELS)
        self.smooth = nn.ModuleList(_Merge(WIDTH, 3, nn.ReLU()) for _ in CHANNELS)
        generator = AnchorGenerator(tuple((stride,) for stride in STRIDES), ((1.0,),) * len(STRIDES))
        self.head = FCOSHead(WIDTH, 1, labels, num_convs=2)
        for part in self.head.modules():
            if isinstance(part, nn.Conv2d) and part.out_channels == WIDTH:
                nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
        # of torchvision's detector only the assignment of boxes to points is wanted; it has no weights of its own
        matcher = FCOS(_NoBackbone(), labels, anchor_generator=generator, head=self.head)
        self._losses = matcher.compute_loss
        maps = [torch.zeros(1, WIDTH, SIZE // stride, SIZE // stride) for stride in STRIDES]
        points = generator(ImageList(torch.zeros(1, 3, SIZE, SIZE), [(SIZE, SIZE)]), maps)[0]
        self.register_buffer("points", points, persistent=False)

    def forward(self, maps: Sequence[Tensor]) -> dict[str, Tensor]:
        """Return logits of labels (N, P, C), box distances (N, P, 4) and centredness (N, P, 1).

        maps: that of stride 8, or those of stride 8, 16 and 32 where they are known.
        """
        known = maps if len(maps) == len(STRIDES) else self._upper(maps[0])
        sides = [lateral(one) for lateral, one in zip(self.lateral, known, strict=True)]
        for number in (1, 0):
            sides[number] = sides[number] + functional.interpolate(sides[number + 1], scale_factor=2, mode="nearest")
        found: dict[str, Tensor] = self.head([smooth(one) for smooth, one in zip(self.smooth, sides, strict=True)])
        return found

    def _upper(self, low: Tensor) -> list[Tensor]:
        maps = [low]
        for number, block in enumerate(self.trunk):
            low = block(low)
            if number == self.split - 1:
                maps.append(low)
        return [*maps, low]

    def loss(self, maps: Sequence[Tensor], targets: list[dict[str, Tensor]]) -> Tensor:
        """Return the sum of FCOS's three losses; targets hold `boxes` (n, 4) and `labels` (n,), n may be 0."""
        points = [self.points] * len(targets)
        counts = [(SIZE // stride) ** 2 for stride in STRIDES]
        parts: dict[str, Tensor] = self._losses(targets, self(maps), points, counts)
        return torch.stack(list(parts.values())).sum()

    def decode(self, found: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return boxes (N, P, 4) as x0, y0, x1, y1 within the canvas, and scores (N, P, C)."""
        reach = found["bbox_regression"] * (self.points[:, 2:3] - self.points[:, :1])  # told in strides
        centre = (self.points[:, :2] + self.points[:, 2:]) / 2
        boxes = torch.cat([centre - reach[..., :2], centre + reach[..., 2:]], -1).clamp(0, SIZE)
        return boxes, (found["cls_logits"].sigmoid() * found["bbox_ctrness"].sigmoid()).sqrt()


class Whole(nn.Module):
    """Images to boxes and scores, as it is exported: (N, 3, SIZE, SIZE) normalised -> (N, P, 4), (N, P, C)."""

    def __init__(self, trunk: Lite0, net: Net) -> None:
        super().__init__()
        self.stem, self.blocks = trunk.stem, nn.ModuleList(trunk.blocks[:LOWER])
        self.net = net

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return boxes in canvas pixels and scores, before NMS."""
        x = functional.relu6(self.stem(images))
        for block in self.blocks:
            x = block(x)
        return self.net.decode(self.net((x,)))
