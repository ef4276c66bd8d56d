"""Phase 4: a planned source becomes its original and its variants, written in every format."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from backend.augment.pipeline import Drawn, GaveUp, Pipeline, prepare_process
from backend.core.codec import canonical, origin_to_json, region_to_json
from backend.core.errors import ImageError, LabelLoomError, RecipeError
from backend.core.model import Sample
from backend.core.names import file_name
from backend.core.recipe import Recipe, parse_recipe
from backend.flows.builder.index import read_sample
from backend.flows.builder.shards import Json, read_json, read_shard, shard_path, write_shard
from backend.flows.recipes import check_recipe
from backend.flows.style.step import Places, drawn_style, extra_steps
from backend.formats import FORMATS
from backend.formats.base import Classes
from backend.imaging.decode import Decoded, decode
from backend.imaging.encode import EXTENSIONS, encode
from backend.imaging.files import link_or_copy, write_atomic
from backend.imaging.hashes import sha256

JOB = "job.json"
KEPT = {
    "jpeg": ".jpg",
    "png": ".png",
    "webp": ".webp",
    "bmp": ".bmp",
}  # what trainers and Label Studio both read; TIFF and GIF are not


@dataclass(frozen=True, slots=True)
class Job:
    """What every render worker needs, kept in the work folder. folder: the partial dataset; places: of styles."""

    folder: Path
    recipe: Recipe
    formats: tuple[str, ...]
    classes: Classes
    places: Places | None = None

    @property
    def work(self) -> Path:
        """Where the shards lie."""
        return self.folder / ".work"

    def save(self) -> None:
        """Write it where workers look for it."""
        document = {
            "recipe": self.recipe.model_dump(mode="json"),
            "formats": self.formats,
            "labels": self.classes.labels,
            "tags": self.classes.tags,
            "places": asdict(self.places) if self.places else None,
        }
        write_atomic(self.work / JOB, canonical(document).encode(), fsync=True)

    @classmethod
    def load(cls, work: Path) -> "Job":
        """Return the job of a work folder."""
        data = read_json(work / JOB)
        classes = Classes(tuple(data["labels"]), tuple(data["tags"]))
        places = Places(**data["places"]) if data["places"] else None
        return cls(work.parent, parse_recipe(data["recipe"]), tuple(data["formats"]), classes, places)


class Renderer:
    """Renders shards of one job; one lives in each worker process."""

    def __init__(self, job: Job) -> None:
        prepare_process()
        self.job = job
        self.pipeline = Pipeline(job.recipe, extra_steps(job.places))

    def shard(self, number: int) -> int:
        """Render plan shard `number`; return how many sources it holds."""
        work = self.job.work
        entries = list(read_shard(shard_path(work, "plan", number)))
        losses = Losses(self.job.formats)
        lines = [line for entry in entries for line in self._source(entry, losses)]
        counts = {"losses": losses.all, "losses_of_variants": losses.of_variants}
        write_shard(shard_path(work, "done", number), [counts, *lines])
        return len(entries)

    def _source(self, entry: Json, losses: "Losses") -> Iterator[Json]:
        sample = read_sample(entry)
        item = sample.origin.uri or sample.name
        try:
            data = Path(sample.path).read_bytes()
            image = decode(data)
        except (ImageError, OSError) as error:
            yield {"skipped": item, "reason": str(error)}
            return
        if sha256(data) != entry["sha256"]:
            yield {"skipped": item, "reason": "the file changed while the dataset was being built"}
            return
        for variant in entry["variants"]:
            try:
                made = self._make(entry, sample, (data, image), variant)
            except Exception as error:  # noqa: BLE001 - whatever an image does to a library, the others go on
                made = str(error) if isinstance(error, ImageError) else f"{type(error).__name__}: {error}"
            if isinstance(made, _Made):
                yield self._write(entry, sample, made, losses)
            elif variant == 0:
                yield {"skipped": item, "reason": made}
            else:
                yield {"gave_up": f"{item} variant {variant}", "reason": made}

    def _make(self, entry: Json, sample: Sample, source: tuple[bytes, Decoded], variant: int) -> "_Made | str":
        """Return an image ready to be written, or why there is none; nothing is written yet."""
        data, image = source
        output = self.job.recipe.output.image
        if variant:
            result = self.pipeline.draw(image.rgb, sample.regions, entry["sha256"], variant)
            if isinstance(result, GaveUp):
                return "; ".join(result.reasons)
        else:
            result = self.pipeline.prepare(image.rgb, sample.regions)
            if _unchanged(image) and not self.job.recipe.preprocess:
                return _Made(variant, result, data, KEPT[image.format])  # byte for byte, never encoded again
        encoded = encode(result.rgb, output.format, output.quality)
        return _Made(variant, result, encoded, EXTENSIONS[output.format])

    def _write(self, entry: Json, sample: Sample, made: "_Made", losses: "Losses") -> Json:
        """Write one image in every format and return its manifest line.

        Raises:
            LabelLoomError: the disk is full, or the folder is read-only: the run stops, and can be resumed.
        """
        drawn = made.drawn
        height, width = drawn.rgb.shape[:2]
        name = file_name(entry["stem"], made.variant, made.extension)
        target = replace(
            sample, name=name, width=width, height=height, regions=drawn.regions, split=entry["split"], notes=()
        )
        try:
            self._store(target, made, losses)
        except OSError as error:
            msg = f"cannot write below {self.job.folder}: {error.strerror}"
            raise LabelLoomError(msg, fix="free space or choose another --out, then run again to resume") from error
        return {
            "file": name,
            "sha256": sha256(made.data),
            "width": width,
            "height": height,
            "split": entry["split"],
            "lineage": entry["lineage"],
            "variant": made.variant,
            "seed": drawn.seed,
            "attempt": drawn.attempt,
            "source": source_json(entry, sample),
            "steps": list(drawn.steps),
            "style": drawn_style(drawn.steps),
            "tags": [{"label": t.label, "control": t.control} for t in sample.tags],
            "regions": [region_to_json(r) for r in drawn.regions],
            "ledger": [e.to_json() for e in drawn.ledger],
        }

    def _store(self, target: Sample, made: "_Made", losses: "Losses") -> None:
        """Write the image once, link it into the other formats, and write each format's labels."""
        first: Path | None = None
        for key in self.job.formats:
            folder = self.job.folder / key
            path = FORMATS[key].image_path(folder, target)
            if first is None:
                write_atomic(path, made.data)
                first = path
            else:
                link_or_copy(first, path)
            losses.add(key, FORMATS[key].write_labels(folder, target, self.job.classes), variant=made.variant > 0)


class Losses:
    """What the formats could not hold, by format and reason: of all images, and of variants alone."""

    def __init__(self, formats: Iterable[str]) -> None:
        self.all = {key: Counter[str]() for key in formats}
        self.of_variants = {key: Counter[str]() for key in formats}

    def add(self, key: str, counts: Counter[str], *, variant: bool) -> None:
        """Count what one image lost in one format."""
        self.all[key].update(counts)
        if variant:
            self.of_variants[key].update(counts)


@dataclass(frozen=True, slots=True)
class _Made:
    """One image ready to be written."""

    variant: int
    drawn: Drawn
    data: bytes
    extension: str


def _unchanged(image: Decoded) -> bool:
    """Tell whether the file's bytes already hold exactly the pixels we decoded."""
    return not image.turned and not image.notes and image.format in KEPT


def source_json(entry: Json, sample: Sample) -> Json:
    """Return what a manifest line says of its source; the image's name is kept so that it can be built again."""
    origin = origin_to_json(sample.origin)
    return {
        "uri": origin.pop("uri"),
        "name": sample.name,
        "sha256": entry["sha256"],
        "width": sample.width,
        "height": sample.height,
        **origin,
        "regions": [region_to_json(r) for r in sample.regions],
    }


def recipe_problems(recipe: Recipe, smallest: tuple[int, int] | None) -> tuple[str, ...]:
    """Return what is wrong with a recipe, tried on the smallest image: as values, which leave a process unharmed."""
    try:
        check_recipe(recipe, smallest)
    except RecipeError as error:
        return error.problems
    return ()


_latest: tuple[Path, int, Renderer] | None = None


def render_shard(argument: tuple[str, int]) -> int:
    """Render plan shard `number` of a work folder; a process keeps the renderer of its latest job."""
    global _latest
    work, number = Path(argument[0]), argument[1]
    made = (work / JOB).stat().st_mtime_ns
    if _latest is None or _latest[:2] != (work, made):
        _latest = (work, made, Renderer(Job.load(work)))
    return _latest[2].shard(number)
