"""Phase 3: who belongs together, which split each image gets, what it is called, how many variants it has."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import regex
import sqlalchemy as sa

from backend.core.codec import canonical
from backend.core.credit import unchangeable_line, unlicensed_line
from backend.core.errors import LabelLoomError, UsageError, shown
from backend.core.lineage import Groups, Row, Rows, group, parent_of
from backend.core.model import Sample, Skipped
from backend.core.names import assign_stems
from backend.core.progress import Progress
from backend.core.recipe import Recipe
from backend.core.splits import Assignment, assign
from backend.flows.builder.index import read_sample
from backend.flows.builder.model import Request
from backend.flows.builder.shards import Json, read_json, read_shard, shard_path, shard_paths, write_shard
from backend.imaging.files import write_atomic
from backend.imaging.hashes import near_pairs
from backend.store.splits import sticky_splits

PLANNED = "planned.json"
TIMEOUT = 1  # seconds for one file name; an expression that does not need a blink never ends


@dataclass(slots=True)
class Planned:
    """The plan's summary. sizes: sources per shard. images: images to be written, per split; variants among them.

    splits: source sha256 -> split, to be remembered. notes: what readers repaired, with counts.
    """

    sizes: tuple[int, ...] = ()
    images: Counter[str] = field(default_factory=Counter)
    variants: int = 0
    splits: dict[str, str] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def shards(self) -> int:
        """Number of plan shards."""
        return len(self.sizes)

    @property
    def sources(self) -> int:
        """Number of usable sources."""
        return sum(self.sizes)


@dataclass(slots=True)
class _Known:
    """What is kept in memory of each usable image, in the order of the listing."""

    rows: Rows = field(default_factory=Rows)
    names: list[tuple[str, str]] = field(default_factory=list)
    items: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)
    unlicensed: int = 0
    unchangeable: int = 0


def plan(request: Request, engine: sa.Engine, work: Path, progress: Progress) -> Planned:
    """Write the plan shards and return their summary.

    Raises:
        LeakError: images of one lineage group have different splits, and the recipe says abort.
        UsageError: `group_by` names nothing that the images have.
        LabelLoomError: not one image can be used.
    """
    progress.update("planning", 0)
    if (work / PLANNED).exists():
        return _load(work / PLANNED)  # a resumed build keeps its plan, whatever else was exported since
    known = _read(request, engine, work)
    if not len(known.rows):
        reasons = "; ".join(f"{s.item}: {s.reason}" for s in known.skipped[:3])
        msg = f"{request.source} has no usable image" + (
            f" ({len(known.skipped)} skipped: {reasons})" if reasons else ""
        )
        raise LabelLoomError(msg, fix="label some images first, or choose other tasks")
    groups = group(known.rows, _near(known.rows, request.recipe))
    assignment = assign(known.rows, groups, request.recipe.split, lambda i: known.items[i])
    stems = assign_stems(known.names)
    planned = _write(request.recipe, work, (groups, assignment, stems))
    planned.splits = {sha: assignment.split_of(i) for i, (_, sha) in enumerate(known.names)}
    planned.skipped, planned.warnings = known.skipped, assignment.warnings
    planned.notes = tuple(f"{note} ({n} times)" if n > 1 else note for note, n in known.notes.most_common())
    if known.unlicensed:
        planned.warnings = (*planned.warnings, unlicensed_line(known.unlicensed))
    if known.unchangeable and request.recipe.steps:
        planned.warnings = (*planned.warnings, unchangeable_line(known.unchangeable))
    if assignment.leaky:
        planned.warnings = (*planned.warnings, "this dataset is leaky: images that belong together have several splits")
    document = {**asdict(replace(planned, images=Counter())), "images": planned.images}
    write_atomic(work / PLANNED, canonical(document).encode(), fsync=True)
    return planned


def _load(path: Path) -> Planned:
    data = read_json(path)
    skipped = [Skipped(**item) for item in data.pop("skipped")]
    return Planned(**{**data, "images": Counter(data["images"]), "skipped": skipped})


def _read(request: Request, engine: sa.Engine, work: Path) -> _Known:
    known, key = _Known(), _group_key(request.recipe)
    for listed, indexed in _shards(work):
        shas = [entry["sha256"] for entry in indexed if "sha256" in entry]
        sticky = sticky_splits(engine, request.project, shas) if request.project else {}
        for entry, facts in zip(listed, indexed, strict=True):
            if "skipped" in facts:
                known.skipped.append(Skipped(facts["skipped"], facts["reason"]))
                continue
            sample = read_sample(entry)
            known.rows.add(_row(sample, facts, key(sample), sticky.get(facts["sha256"])))
            known.names.append((sample.name, facts["sha256"]))
            known.items.append(sample.origin.uri or sample.name)
            known.notes.update(sample.notes)
            credit = sample.origin.credit
            known.unlicensed += credit is not None and not credit.license.known
            known.unchangeable += credit is not None and credit.license.no_derivatives
    by = request.recipe.split.group_by if request.recipe.split else None
    if by and len(known.rows) and (known.rows.keys < 0).all():
        msg = f"group_by: no image has {shown(by)}"
        raise UsageError(msg, fix="name a field of the tasks' data or meta, or name:REGEX for the file name")
    return known


def _shards(work: Path) -> Iterator[tuple[list[Json], list[Json]]]:
    for number, path in enumerate(shard_paths(work, "list")):
        yield list(read_shard(path)), list(read_shard(shard_path(work, "index", number)))


def _row(sample: Sample, facts: Json, key: str | None, sticky: str | None) -> Row:
    return Row(
        sha256=facts["sha256"],
        pixels=facts["pixels"],
        phash=facts["phash"],
        dhash=facts["dhash"],
        flat=facts["flat"],
        key=key,
        parent=parent_of(sample),
        labels={region.label for region in sample.regions} | {tag.label for tag in sample.tags},
        kept=sample.split,
        sticky=sticky,
    )


def _group_key(recipe: Recipe) -> Callable[[Sample], str | None]:
    """Return the function that gives a sample's `group_by` value."""
    by = recipe.split.group_by if recipe.split else None
    if by is None:
        return lambda _sample: None
    if not by.startswith("name:"):
        return lambda sample: _first(dict(sample.fields), (by, f"data.{by}", f"meta.{by}"))
    try:
        pattern = regex.compile(by.removeprefix("name:"))
    except regex.error as error:
        msg = f"group_by: {shown(by)} is not a regular expression: {error}"
        raise UsageError(msg) from error

    def from_name(sample: Sample) -> str | None:
        try:
            found = pattern.search(sample.name, timeout=TIMEOUT)
        except TimeoutError as error:
            msg = f"group_by: {shown(by)} takes more than {TIMEOUT} s on {shown(sample.name)}"
            raise UsageError(msg, fix="write it without repeats inside of repeats, such as (a+)+") from error
        return None if found is None else found[1 if pattern.groups else 0]

    return from_name


def _first(values: dict[str, str], names: tuple[str, ...]) -> str | None:
    return next((values[name] for name in names if name in values), None)


def _near(rows: Rows, recipe: Recipe) -> Iterator[tuple[int, int]]:
    distance = recipe.split.near_duplicates if recipe.split else "off"
    if distance == "off":
        return iter(())
    keys = rows.keys
    return near_pairs(rows.phash, rows.dhash, rows.flat, distance, keys if (keys >= 0).any() else None)


def _write(recipe: Recipe, work: Path, decided: tuple[Groups, Assignment, list[str]]) -> Planned:
    groups, assignment, stems = decided
    planned, sizes, position = Planned(), [], 0
    for number, (listed, indexed) in enumerate(_shards(work)):
        entries: list[Json] = []
        for entry, facts in zip(listed, indexed, strict=True):
            if "skipped" in facts:
                continue
            split = assignment.split_of(position)
            variants = _variants(recipe, split, entry)
            lineage = groups.ids[int(groups.of[position])]
            if variants:
                entries.append(
                    {**entry, "split": split, "lineage": lineage, "stem": stems[position], "variants": variants}
                )
            planned.images[split] += len(variants)
            planned.variants += sum(number > 0 for number in variants)
            position += 1
        write_shard(shard_path(work, "plan", number), entries)
        sizes.append(len(entries))
    planned.sizes = tuple(sizes)
    return planned


def _variants(recipe: Recipe, split: str, entry: Json) -> list[int]:
    """Return the variant numbers of an image, 0 being the original: only train is augmented, only it may lose it."""
    if split != "train":
        return [0]
    labels = frozenset(region["label"] for region in entry["sample"]["regions"])
    labels |= frozenset(tag["label"] for tag in entry["sample"]["tags"])
    first = 0 if recipe.keep_originals else 1
    return list(range(first, recipe.variants_for(labels) + 1))
