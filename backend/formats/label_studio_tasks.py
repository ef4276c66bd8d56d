"""Label Studio's tasks: which of their annotations counts, and the sample that comes of it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

from backend.core.credit import Credit, credit_from_json, credit_to_json
from backend.core.model import Origin, Sample
from backend.formats.base import split_of
from backend.formats.consensus import agree
from backend.formats.label_config import LabelConfig
from backend.formats.label_studio import Json, regions_of, tags_of
from backend.formats.label_studio_shapes import Size

Annotations = Literal["newest", "ground-truth", "consensus"]
Status = Literal["labelled", "background", "unlabelled", "skipped", "no ground truth", "without these labels", "older"]

CREDIT = "labelloom"  # the key in a task's meta

_FIELD = 200  # characters of a task field that may group samples
_USED: frozenset[Status] = frozenset({"labelled", "background"})


@dataclass(frozen=True, slots=True)
class Filter:
    """Which tasks count: those whose annotation holds one of `labels` (empty: any) and is not older than `since`."""

    annotations: Annotations = "newest"
    labels: tuple[str, ...] = ()
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Pick:
    """What was chosen of one task: its status, and the annotation to use (several where they shall agree)."""

    status: Status
    annotations: tuple[Json, ...] = ()

    @property
    def used(self) -> bool:
        """Whether the task becomes a sample."""
        return self.status in _USED


@dataclass(slots=True)
class Selection:
    """Running counts over the tasks of a selection."""

    counts: Counter[Status] = field(default_factory=Counter)

    def add(self, pick: Pick) -> None:
        """Count one task."""
        self.counts[pick.status] += 1

    @property
    def used(self) -> int:
        """How many tasks become samples."""
        return sum(self.counts[status] for status in _USED)

    @property
    def total(self) -> int:
        """How many tasks were looked at."""
        return sum(self.counts.values())

    def to_json(self, unreadable: int = 0) -> dict[str, int]:
        """Return the counts by status, with `total` and `exported`, and how many images could not be used if any."""
        counts = {"total": self.total, "exported": self.used - unreadable}
        counts |= {status: number for status, number in sorted(self.counts.items()) if number}
        return counts | ({"unreadable": unreadable} if unreadable else {})

    def text(self, unreadable: int = 0, empty: int | None = None) -> str:
        """Return the counts in words: `812 of 1,000 tasks: 150 unlabelled, 38 skipped`.

        unreadable: images of chosen tasks that could not be used. empty: backgrounds among those that could.
        """
        used = self.used - unreadable
        left_out = [f"{n:,} {s}" for s, n in sorted(self.counts.items(), key=lambda c: (-c[1], c[0])) if s not in _USED]
        left_out += [f"{unreadable:,} unreadable image{_s(unreadable)}"] if unreadable else []
        words = f"{used:,} of {self.total:,} task{_s(self.total)}" + (f": {', '.join(left_out)}" if left_out else "")
        empty = self.counts["background"] if empty is None else empty
        which = f"{empty:,} is an empty background image" if empty == 1 else f"{empty:,} are empty background images"
        return f"{words} (of the {used:,}, {which})" if empty else words


def _s(number: int) -> str:
    return "" if number == 1 else "s"


def pick(task: Json, chosen: Filter) -> Pick:
    """Return which annotation of a task counts. Cancelled ones and drafts never do.

    newest: the one changed last. ground-truth: the newest marked so. consensus: the newest of each annotator.
    """
    submitted = [a for a in task.get("annotations") or () if not a.get("was_cancelled")]
    if not submitted:
        return Pick("skipped" if task.get("annotations") else "unlabelled")
    submitted.sort(key=_age)
    if chosen.annotations == "ground-truth":
        submitted = [a for a in submitted if a.get("ground_truth")]
        if not submitted:
            return Pick("no ground truth")
    if chosen.since is not None and _moment(submitted[-1]) < chosen.since:
        return Pick("older")
    if chosen.annotations == "consensus":
        by_author = {author_of(a) or -a["id"]: a for a in submitted}  # an unknown author agrees with nobody
        used = tuple(sorted(by_author.values(), key=lambda a: a["id"]))
    else:
        used = (submitted[-1],)
    if chosen.labels and not any(labels_of(a) & set(chosen.labels) for a in used):
        return Pick("without these labels")
    return Pick("labelled" if any(a.get("result") for a in used) else "background", used)


def author_of(annotation: Json) -> int | None:
    """Return the id of the user who completed an annotation."""
    author = annotation.get("completed_by")
    author = author.get("id") if isinstance(author, dict) else author
    return author if isinstance(author, int) else None


def _age(annotation: Json) -> tuple[str, int]:
    return str(annotation.get("updated_at") or annotation.get("created_at") or ""), int(annotation["id"])


def _moment(annotation: Json) -> datetime:
    moment = datetime.fromisoformat(_age(annotation)[0] or "1970-01-01T00:00:00Z")
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def labels_of(annotation: Json) -> set[str]:
    """Return the names an annotation gives, of regions and of the whole image."""
    return {
        str(label)
        for entry in annotation.get("result") or ()
        for names in (entry.get("value") or {}).values()
        if isinstance(names, list)
        for label in names
        if isinstance(label, str)
    }


def to_sample(
    task: Json, picked: Pick, config: LabelConfig, image: tuple[str, Size], users: Mapping[int, str]
) -> Sample:
    """Return a task's sample with the picked annotation's regions and tags.

    image: the local file's path, and its width and height as displayed. users: the email of each user id.
    """
    path, size = image
    read = [
        (regions_of(a.get("result") or (), config, size), tags_of(a.get("result") or (), config))
        for a in picked.annotations
    ]
    notes = tuple(note for (_, found), _ in read for note in found)
    if len(read) == 1:
        regions, tags = read[0][0][0], read[0][1]
    else:
        agreed = agree([(r, t) for (r, _), t in read])
        regions, tags = agreed.regions, agreed.tags
        if agreed.outvoted:
            notes += (f"{agreed.outvoted} regions drawn by fewer than half of {len(read)} annotators, left out",)
    fields = _fields(task, config)
    data = dict(fields)
    return Sample(
        id=str(task["id"]),
        path=path,
        name=image_name(task, config),
        width=size[0],
        height=size[1],
        regions=regions,
        tags=tags,
        split=split_of(data.get("data.split") or data.get("data.loom_split") or ""),
        origin=_origin(task, config, picked.annotations, users),
        fields=fields,
        notes=notes,
    )


def image_url(task: Json, config: LabelConfig) -> str:
    """Return the address of a task's image as its data names it; empty where there is none."""
    value = (task.get("data") or {}).get(config.image_key)
    return value if isinstance(value, str) else ""


def image_name(task: Json, config: LabelConfig) -> str:
    """Return the image's file name: the one we know it by, else the last part of its address."""
    data = task.get("data") or {}
    own = data.get("loom_file") or (data.get("name") if "loom_key" in data else None)  # written back, or imported
    if isinstance(own, str) and own:
        return own
    url = image_url(task, config)
    if url.startswith("data:"):
        return f"task-{task['id']}"
    parts = urlsplit(url)
    path = parse_qs(parts.query).get("d", [parts.path])[0]
    return unquote(path).rstrip("/").rpartition("/")[2] or f"task-{task['id']}"


def _origin(task: Json, config: LabelConfig, used: tuple[Json, ...], users: Mapping[int, str]) -> Origin:
    values: Json = {**(task.get("meta") or {}), **(task.get("data") or {})}
    url = image_url(task, config)
    one = used[0] if len(used) == 1 else None
    author = author_of(one) if one else None
    return Origin(
        uri="" if url.startswith("data:") else url,
        project=task.get("project"),
        task=task.get("id"),
        annotation=one["id"] if one else None,
        annotator=users.get(author) if author is not None else None,
        license=_text(values.get("license")),
        page_url=_text(values.get("page_url")),
        credit=credit_of(task),
    )


def credit_of(task: Json) -> Credit | None:
    """Return where a task's image was collected, as its meta says, or None."""
    meta = task.get("meta")
    return credit_from_json(meta.get(CREDIT)) if isinstance(meta, dict) else None


def task_json(data: Json, credit: Credit | None) -> Json:
    """Return a task to import, with where its image was collected in its meta."""
    return {"data": data} | ({"meta": {CREDIT: credit_to_json(credit)}} if credit else {})


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _fields(task: Json, config: LabelConfig) -> tuple[tuple[str, str], ...]:
    return tuple(
        (f"{where}.{key}", str(value))
        for where in ("data", "meta")
        for key, value in (task.get(where) or {}).items()
        if key != config.image_key and isinstance(value, str | int | float) and len(str(value)) <= _FIELD
    )
