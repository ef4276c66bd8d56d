"""Training the compact engine's decoder as a verb: folders of photographs and paintings become an engine's folder.

The folder is the state: what was asked (`config.json`), the checkpoint and the curve lie in it while the training
runs, and a repeat goes on. The engine's own files and its card are written last, when it has been through the gates.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.core.codec import canonical
from backend.core.errors import ImageError, LabelLoomError
from backend.core.model import Skipped
from backend.core.progress import Progress
from backend.flows.style.check import Checked, check_engine
from backend.imaging.decode import Rgb, decode
from backend.imaging.encode import encode
from backend.imaging.files import alone, write_atomic
from backend.settings import Settings
from connectors.errors import ServerError
from connectors.judge_weights import judge_weights

if TYPE_CHECKING:
    from backend.style.train.course import Config, Course
    from backend.style.train.data import Pictures

Json = dict[str, Any]
Tell = Callable[[str], None]

CARD, CURVE, SHEET = "card.json", "curve.png", "sheet.jpg"
_SHOWN = (5, 6)  # contents and styles on a sheet


@dataclass(frozen=True, slots=True)
class Ask:
    """What to train from, and how. judge: the weights that judge, None fetches them; minutes: between sheets."""

    contents: tuple[Path, ...]
    styles: tuple[Path, ...]
    out: Path
    config: Json
    judge: Path | None = None
    device: str = "auto"
    threads: int = 1
    minutes: float = 5.0


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of it."""

    folder: Path
    card: Json
    skipped: tuple[Skipped, ...]


def train_style(ask: Ask, tools: tuple[Settings, Progress], *, tell: Tell = lambda _text: None) -> Trained:
    """Train a decoder, measure it on pictures kept aside, and write the engine.

    Raises:
        UsageError: a folder or an option is wrong, or the folder holds another training.
        LabelLoomError: torch is missing, the judge cannot be fetched, or the loss is no number any more.
        Held: another process trains there.
        Cancelled: from the progress; a repeat goes on.
    """
    settings, progress = tools
    _check_torch()
    from backend.style.train.course import Config
    from backend.style.train.data import Pictures, find, split

    config = Config(**ask.config)
    config.check()
    contents, styles = (split(find(folders)) for folders in (ask.contents, ask.styles))
    learned = tuple(Pictures(paths, tell) for paths, _ in (contents, styles))
    ask.out.mkdir(parents=True, exist_ok=True)
    with alone(ask.out / "lock", f"a style is being trained in {ask.out} by another process"):
        course = _course(ask, config, settings, tell)
        watch = _Watch(ask, course, (contents[1], styles[1]), progress, tell)
        course.run(learned[0], learned[1], watch, tell)
        skipped = tuple(Skipped(str(path), why) for pictures in learned for path, why in pictures.broken.items())
        return Trained(ask.out, _finish(course, ask, learned, watch), skipped)


def _check_torch() -> None:
    if find_spec("torch") is None:
        msg = "training needs torch, which is not installed"
        raise LabelLoomError(msg, fix="pip install 'labelloom[train]'")


def _course(ask: Ask, config: "Config", settings: Settings, tell: Tell) -> "Course":
    from backend.detect.fewshot.backbone import pretrained
    from backend.style.train.course import Course, use_threads
    from backend.style.train.judge import read_judge
    from backend.style.train.net import Prefix

    try:
        weights = ask.judge or judge_weights(settings.cache_dir / "judge", tell)
    except ServerError as error:
        raise LabelLoomError(str(error), fix=error.fix) from error
    device = use_threads(ask.threads, ask.device)
    return Course(config, (Prefix(pretrained()), read_judge(weights)), ask.out, device)


class _Watch:
    """Reports each iteration, and draws a sheet now and then."""

    def __init__(
        self, ask: Ask, course: "Course", aside: tuple[Sequence[Path], Sequence[Path]], progress: Progress, tell: Tell
    ) -> None:
        self.ask, self.course, self.aside, self.progress, self.tell = ask, course, aside, progress, tell
        self._drawn = time.monotonic()

    def __call__(self, done: int, point: Json | None) -> None:
        if point is not None and time.monotonic() - self._drawn > 60 * self.ask.minutes:
            self.draw()
            self.tell(", ".join(f"{name} {value:g}" for name, value in point.items()))
        self.progress.update("training", done, self.course.config.iterations)

    def draw(self) -> None:
        """Write the engine as it is now, its curve, and a sheet of pictures it never learned from."""
        from backend.style.train.pictures import curves, sheet

        engine = self.engine()
        contents, styles = (_some(paths, count) for paths, count in zip(self.aside, _SHOWN, strict=True))
        if contents and styles:
            write_atomic(self.ask.out / SHEET, encode(sheet(engine, contents, styles), "jpeg", 90))
        write_atomic(self.ask.out / CURVE, encode(curves(self.course.points()), "png", 95))
        self._drawn = time.monotonic()

    def engine(self) -> Any:
        """Write the engine's files, and open it."""
        from backend.style.base import Runtime
        from backend.style.compact import open_engine
        from backend.style.train.export import export

        export(self.course.prefix, self.course.kept(), self.ask.out)
        return open_engine({"folder": str(self.ask.out)}, Runtime(self.ask.threads))


def _finish(course: "Course", ask: Ask, learned: tuple["Pictures", ...], watch: _Watch) -> Json:
    watch.draw()
    checked = check_engine(watch.engine(), watch.aside[0], watch.aside[1], watch.progress)
    card = _card(course, learned, watch.aside, checked)
    write_atomic(ask.out / CARD, (json.dumps(card, ensure_ascii=False, indent=1) + "\n").encode(), fsync=True)
    return card


def _card(
    course: "Course",
    learned: tuple["Pictures", ...],
    aside: tuple[Sequence[Path], Sequence[Path]],
    checked: Checked,
) -> Json:
    """Return what the engine is made of and how it did; nothing in it names this machine."""
    import hashlib

    def named(paths: Sequence[Path]) -> Json:
        names = sorted(path.name for path in paths)
        return {"files": len(names), "sha256_of_names": hashlib.sha256(canonical(names).encode()).hexdigest()}

    return {
        "engine": "compact",
        "version": checked.version,
        "config": asdict(course.config),
        "data": {
            kind: {"learned": named(pictures.paths), "aside": named(kept)}
            for kind, pictures, kept in zip(("contents", "styles"), learned, aside, strict=True)
        },
        "encoder": "EfficientNet-Lite0 to stride 8, ImageNet weights (Apache-2.0, (c) 2020 ML Illustrated)",
        "judge": "YOLOv3-tiny, first five convolutions, COCO weights; asked in training only",
        "losses": course.points()[-1] if course.points() else {},
        "gates": checked.to_json(),
    }


def _some(paths: Sequence[Path], count: int) -> list[Rgb]:
    """Return pictures spread over the list."""
    found: list[Rgb] = []
    for path in paths[:: max(1, len(paths) // count)]:
        try:
            found.append(decode(path.read_bytes()).rgb)
        except (ImageError, OSError):  # told already, or by the check at the end
            continue
    return found[:count]
