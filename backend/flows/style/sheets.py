"""Looks before a run: one picture at rising strengths, or several pictures in several styles."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from backend.augment.render import Row, Tile, contact_sheet
from backend.core.errors import ImageError, UsageError
from backend.core.model import Skipped
from backend.core.progress import Progress
from backend.flows.outputs import check_output, write_output
from backend.flows.preview import FORMATS
from backend.flows.style.codes import Codes
from backend.flows.style.engines import open_engine
from backend.flows.style.library import Style, find_styles
from backend.flows.style.stylize import Look, gathered
from backend.imaging.decode import decode
from backend.imaging.encode import encode
from backend.settings import Settings
from backend.style.base import Engine, Rgb, StyleCode
from backend.style.sizes import longer_at_most

ALPHAS = (0.0, 0.25, 0.5, 0.75, 1.0)
MOST = 12  # pictures down, and styles across
_SIDE = 512  # pixels; the longer side at which a picture is painted for a sheet

Tools = tuple[Settings, Progress]


def sweep(content: Path, look: Look, out: Path, tools: Tools) -> list[Skipped]:
    """Write a sheet of one picture in each style (at most 12) at strengths from 0 to 1; return what was left out.

    Raises:
        UsageError: the picture or no style can be read, or `out` cannot be written.
    """
    sheet = _Sheet(look, out, tools)
    rgb = sheet.read(content)
    if rgb is None:
        msg = f"{content}: {sheet.skipped[-1].reason}"
        raise UsageError(msg, fix="give a picture that can be opened")
    looked, rows = sheet.engine.content(rgb), []
    for number, (style, code) in enumerate(sheet.codes):
        tools[1].update("painting", number, len(sheet.codes))
        painted = [(alpha, sheet.engine.paint(looked, code, alpha, look.detail)) for alpha in ALPHAS]
        rows.append(Row(style.name, tuple(Tile(f"alpha {alpha:g}", one) for alpha, one in painted)))
    return sheet.write(rows, f"{content.name}: from the picture to the style")


def matrix(contents: Sequence[Path], look: Look, out: Path, tools: Tools) -> list[Skipped]:
    """Write a sheet of pictures (at most 12) in styles (at most 12) at the look's strength; return what was left out.

    Raises:
        UsageError: no picture or no style can be read, or `out` cannot be written.
    """
    sheet = _Sheet(look, out, tools)
    alpha = look.alpha[1] if isinstance(look.alpha, tuple) else look.alpha
    blank = np.full((_SIDE, _SIDE, 3), 255, np.uint8)
    rows = [Row("styles", (Tile("", blank), *(Tile(style.name, sheet.read(style.path)) for style, _ in sheet.codes)))]
    for sample in gathered(contents).samples:
        if len(rows) > MOST:
            break
        if isinstance(sample, Skipped):
            sheet.skipped.append(sample)
            continue
        rgb = sheet.read(Path(sample.path))
        if rgb is None:
            continue
        looked = sheet.engine.content(rgb)
        painted = (Tile(s.name, sheet.engine.paint(looked, code, alpha, look.detail)) for s, code in sheet.codes)
        rows.append(Row(sample.name, (Tile("content", rgb), *painted)))
        tools[1].update("painting", len(rows) - 1, None)
    if len(rows) == 1:
        msg = f"no picture can be painted: {sheet.skipped[0].reason if sheet.skipped else 'none was found'}"
        raise UsageError(msg, fix="give pictures, or folders of them")
    return sheet.write(rows, f"alpha {alpha:g}")


class _Sheet:
    """What both sheets share: the engine, the styles' codes, and where it goes."""

    def __init__(self, look: Look, out: Path, tools: Tools) -> None:
        if out.suffix.lower() not in FORMATS:
            msg = f"cannot write a picture called {out.name!r}"
            raise UsageError(msg, fix=f"end its name with {', '.join(FORMATS)}")
        check_output(out)
        self.out = out
        self.skipped: list[Skipped] = []
        styles = find_styles(look.styles, tools[0], self.skipped)[:MOST]
        self.engine: Engine = open_engine(look.engine, {}, tools[0])
        codes = Codes(self.engine, tools[0].style_codes_dir)
        self.codes: list[tuple[Style, StyleCode]] = []
        for style in styles:
            try:
                self.codes.append((style, codes.of(style.path.read_bytes())))
            except (ImageError, OSError) as error:
                self.skipped.append(Skipped(str(style.path), str(error)))
        if not self.codes:
            msg = f"no style can be used: {self.skipped[0].item}: {self.skipped[0].reason}"
            raise UsageError(msg, fix="give pictures that can be opened")

    def read(self, path: Path) -> Rgb | None:
        """Return a picture as it is painted, or note why not."""
        try:
            return longer_at_most(decode(path.read_bytes()).rgb, _SIDE)
        except (ImageError, OSError) as error:
            self.skipped.append(Skipped(str(path), str(error)))
            return None

    def write(self, rows: Sequence[Row], title: str) -> list[Skipped]:
        """Write the sheet."""
        picture = contact_sheet(rows, title=f"{self.engine.name}: {title}")
        write_output(self.out, encode(picture, FORMATS[self.out.suffix.lower()], 92))
        return self.skipped
