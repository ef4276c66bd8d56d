"""Pictures painted in styles: a dataset whose only step is `Style`, so that all a build is good at holds here too.

It resumes after kill -9, uses every core, skips and tells what cannot be read, and can be rebuilt from its manifest.
A labelled dataset keeps its labels; plain pictures become a plain set of pictures.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backend.core.errors import ImageError, UsageError
from backend.core.model import Dataset, Origin, Sample, Skipped, Stream
from backend.core.progress import Progress
from backend.core.recipe import Recipe, parse_recipe
from backend.flows.augment import Options, run_build
from backend.flows.builder.model import Report
from backend.formats.manifest import is_dataset
from backend.formats.recognise import open_dataset, recognise
from backend.formats.walk import images_below
from backend.imaging.decode import probe
from backend.settings import Settings

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Look:
    """How to paint; the fields of the `Style` step. variants: pictures per content; seed: of everything drawn.

    folder: another compact engine, as `train-style` writes it.
    """

    styles: tuple[str, ...]
    engine: str = "compact"
    alpha: float | tuple[float, float] = 0.6
    alpha_objects: float | None = None
    feather: float = 8.0
    detail: float = 1.0
    keep_color: bool = False
    variants: int = 1
    seed: int = 0
    folder: str | None = None

    def recipe(self, name: str, formats: Sequence[str], image: Json) -> Recipe:
        """Return the recipe that paints.

        Raises:
            RecipeError: a value is out of range.
        """
        alpha = list(self.alpha) if isinstance(self.alpha, tuple) else self.alpha
        step: Json = {"styles": list(self.styles), "engine": self.engine, "alpha": alpha, "detail": self.detail}
        if self.folder:
            step["folder"] = self.folder
        if self.alpha_objects is not None:
            step |= {"alpha_objects": self.alpha_objects, "feather": self.feather}
        return parse_recipe(
            {
                "name": name,
                "seed": self.seed,
                "variants": self.variants,
                "keep_originals": False,
                "steps": [{"Style": {**step, "keep_color": self.keep_color, "p": 1.0}}],
                "output": {"formats": list(formats), "image": image},
            }
        )


def stylize(
    contents: Sequence[Path], look: Look, options: Options, image: Json, tools: tuple[Settings, Progress]
) -> Report:
    """Paint every picture of a dataset, or of files and folders.

    Raises:
        UsageError: a content or a style is not there.
        RecipeError: a value of the look is out of range.
        LabelLoomError: everything a build raises.
    """
    settings, progress = tools
    dataset = gathered(contents)
    formats = options.formats or _formats(contents, dataset)
    recipe = look.recipe(options.name or "stylized", formats, image)
    request = options.request(dataset, recipe, f"the pictures of {dataset.name}", settings)
    return run_build(replace(request, formats=formats), settings, progress, dry_run=options.dry_run)


def gathered(contents: Sequence[Path]) -> Dataset:
    """Return one folder as the dataset it is; files and several folders as plain pictures.

    Raises:
        UsageError: a content is not there, or holds no picture.
    """
    for path in contents:
        if not path.exists():
            msg = f"there is no content {path}"
            raise UsageError(msg, fix="name pictures, or folders of them")
    if len(contents) == 1 and contents[0].is_dir():
        return open_dataset(contents[0])
    return Dataset(contents[0].stem if contents else "", (), Stream(lambda: _samples(contents)))


def _samples(contents: Sequence[Path]) -> Iterator[Sample | Skipped]:
    seen: set[Path] = set()
    for path in contents:
        for one in [path] if path.is_file() else (path / below for below in images_below(path)):
            if one.resolve() in seen:
                continue
            seen.add(one.resolve())
            try:
                size = probe(one)
            except (ImageError, OSError) as error:
                yield Skipped(str(one), str(error))
                continue
            origin = Origin(uri=one.name)
            yield Sample(one.stem, str(one), one.name, size.width, size.height, (), origin=origin)


def _formats(contents: Sequence[Path], dataset: Dataset) -> tuple[str, ...]:
    if not dataset.labels:
        return ("folders",)
    folder = contents[0]
    return ("yolo", "voc") if is_dataset(folder) else (recognise(folder).format.key,)
