"""The contact sheet: pictures with their regions in rows, a caption and the numbers under each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw

from backend.augment.drawing import Colour, colours, draw_regions, ink, tag_size
from backend.augment.lettering import fitted, font, spelled
from backend.augment.ops import Rgb
from backend.core.model import Region

Tone = Literal["plain", "good", "fair", "poor"]

_PAPER, _CARD, _RIM = (243, 244, 246), (255, 255, 255), (222, 225, 230)
_TEXT, _SOFT, _GROUND = (28, 32, 40), (110, 118, 130), (232, 234, 238)
_TONES: dict[Tone, Colour] = {"plain": _SOFT, "good": (22, 128, 76), "fair": (176, 110, 0), "poor": (196, 40, 50)}
_GAP, _EDGE, _PAD = 14, 24, 8
_TITLE, _NAME, _LINE = 22, 15, 13
_WIDEST, _TILE_WIDTHS = 2000, (200, 360)


@dataclass(frozen=True, slots=True)
class Tile:
    """One picture of a sheet.

    caption: what it is; numbers: one line, coloured by tone; detail: one more, in grey. rgb None: there is no picture,
    and `detail` says why.
    """

    caption: str
    rgb: Rgb | None = None
    regions: tuple[Region, ...] = ()
    numbers: str = ""
    tone: Tone = "plain"
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """Pictures that belong together, under one title."""

    title: str
    tiles: tuple[Tile, ...]


@dataclass(frozen=True, slots=True)
class _Layout:
    columns: int
    width: int
    height: int

    @property
    def card(self) -> tuple[int, int]:
        return self.width + 2 * _PAD, self.height + 2 * _PAD + 3 * (_LINE + 5) + 4


def contact_sheet(rows: Sequence[Row], *, title: str = "", labels: Sequence[str] = ()) -> Rgb:
    """Return the sheet, (height, width, 3) uint8 RGB; labels get their colours in the order of `labels`."""
    found = sorted({region.label for row in rows for tile in row.tiles for region in tile.regions})
    palette = colours([*(label for label in labels if label in found), *found])
    layout = _layout(rows)
    card_width, card_height = layout.card
    width = 2 * _EDGE + layout.columns * card_width + (layout.columns - 1) * _GAP
    legend = _legend_rows(palette, width - 2 * _EDGE)
    head = (_TITLE + 14 if title else 0) + len(legend) * 26
    row_height = _NAME + 12 + card_height + _GAP
    sheet = Image.new("RGB", (width, 2 * _EDGE + head + len(rows) * row_height - (_GAP if rows else 0)), _PAPER)
    pen = ImageDraw.Draw(sheet)
    if title:
        pen.text((_EDGE, _EDGE), fitted(title, _TITLE, width - 2 * _EDGE), font=font(_TITLE), fill=_TEXT)
    _legend(pen, legend, palette, _EDGE + (_TITLE + 14 if title else 0))
    for number, row in enumerate(rows):
        top = _EDGE + head + number * row_height
        pen.text((_EDGE, top), fitted(row.title, _NAME, width - 2 * _EDGE), font=font(_NAME), fill=_TEXT)
        for column, tile in enumerate(row.tiles):
            at = _EDGE + column * (card_width + _GAP), top + _NAME + 12
            _card(sheet, tile, palette, at, layout)
    return np.asarray(sheet)


def _layout(rows: Sequence[Row]) -> _Layout:
    columns = max((len(row.tiles) for row in rows), default=1) or 1
    low, high = _TILE_WIDTHS
    width = min(max((_WIDEST - 2 * _EDGE) // columns - _GAP - 2 * _PAD, low), high)
    shapes = [tile.rgb.shape for row in rows for tile in row.tiles if tile.rgb is not None]
    ratio = float(np.median([height / wide for height, wide, _ in shapes])) if shapes else 0.75
    return _Layout(columns, width, round(width * min(max(ratio, 0.5), 1.25)))


def _card(sheet: Image.Image, tile: Tile, palette: dict[str, Colour], at: tuple[int, int], layout: _Layout) -> None:
    pen, (left, top), (card_width, card_height) = ImageDraw.Draw(sheet), at, layout.card
    pen.rounded_rectangle((left, top, left + card_width, top + card_height), 6, fill=_CARD, outline=_RIM)
    x, y = left + _PAD, top + _PAD
    pen.rectangle((x, y, x + layout.width - 1, y + layout.height - 1), fill=_GROUND)
    if tile.rgb is not None:
        size = _fit(tile.rgb, layout)
        picture = draw_regions(tile.rgb, tile.regions, palette, size)
        sheet.paste(picture, (x + (layout.width - size[0]) // 2, y + (layout.height - size[1]) // 2))
    else:
        centre = x + layout.width / 2, y + layout.height / 2
        pen.text(centre, "not written", font=font(_NAME), fill=_SOFT, anchor="mm")
    lines = ((tile.caption, _TEXT), (tile.numbers, _TONES[tile.tone]), (tile.detail, _SOFT))
    for number, (text, colour) in enumerate(lines):
        below = y + layout.height + 8 + number * (_LINE + 5)
        pen.text((x, below), fitted(text, _LINE, layout.width), font=font(_LINE), fill=colour)


def _fit(rgb: Rgb, layout: _Layout) -> tuple[int, int]:
    height, width = rgb.shape[:2]
    scale = min(layout.width / width, layout.height / height)
    return max(round(width * scale), 1), max(round(height * scale), 1)


def _legend_rows(palette: dict[str, Colour], width: float) -> list[list[tuple[str, float]]]:
    """Return labels with their left edge, line by line."""
    rows: list[list[tuple[str, float]]] = []
    left = width
    for label in palette:
        wide = tag_size(spelled(label))[0]
        if left + wide > width:
            rows.append([])
            left = 0.0
        rows[-1].append((label, left))
        left += wide + 8
    return rows


def _legend(
    pen: ImageDraw.ImageDraw, rows: list[list[tuple[str, float]]], palette: dict[str, Colour], top: float
) -> None:
    for number, row in enumerate(rows):
        for label, left in row:
            text = spelled(label)
            width, height = tag_size(text)
            x, y = _EDGE + left, top + number * 26
            pen.rounded_rectangle((x, y, x + width, y + height), 3, fill=palette[label])
            pen.text((x + 4, y + height / 2), text, font=font(12), fill=ink(palette[label]), anchor="lm")
