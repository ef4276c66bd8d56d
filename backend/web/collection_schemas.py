"""What the collections' API takes and returns, and how it is made of a collection."""

from typing import Any, Literal
from urllib.parse import quote

from pydantic import BaseModel, Field, model_validator

from backend.flows.collect.collection import Collection
from backend.flows.collect_params import Target
from backend.flows.collection_view import View
from backend.web.schemas import NUMBER, Asked
from connectors.fetching.reasons import sentence

Json = dict[str, Any]
Sha = str


class CollectionPath(BaseModel):
    """A collection's name."""

    name: str


class ImagePath(CollectionPath):
    """An image of a collection."""

    sha256: str


class EntriesQuery(Asked):
    """Which candidates."""

    state: Literal["kept", "rejected"] = "kept"
    reason: str | None = Field(None, max_length=50, description="a reason's code, for rejected ones")
    label: str | None = Field(None, max_length=200, description="empty: those without a label")
    limit: int = Field(60, ge=1, le=200)
    offset: int = Field(0, ge=0, le=NUMBER)


class Decisions(Asked):
    """Images by sha256, or all (of one label)."""

    accept: list[str] = Field([], max_length=10_000)
    reject: list[str] = Field([], max_length=10_000)
    all: Literal["accept", "reject"] | None = None
    label: str | None = Field(None, max_length=200, description="with `all`: only this label; empty: those without")

    @model_validator(mode="after")
    def _one_way(self) -> "Decisions":
        listed = bool(self.accept or self.reject)
        if listed == (self.all is not None):
            msg = "give either accept and reject, or all"
            raise ValueError(msg)
        if set(self.accept) & set(self.reject):
            msg = "an image cannot be accepted and rejected at once"
            raise ValueError(msg)
        return self


class ImportBody(Target):
    """Where the tasks go: a project's id or a new one's title."""

    @model_validator(mode="after")
    def _some_target(self) -> "ImportBody":
        if self.project is None and self.title is None:
            msg = "give either project or title"
            raise ValueError(msg)
        return self


class Counts(BaseModel):
    """found: candidates that were decided; kept: good images; accepted: kept and not rejected by hand since."""

    found: int
    kept: int
    rejected: int
    accepted: int


class Reason(BaseModel):
    """Why candidates were rejected, in words, and how many."""

    code: str
    text: str
    count: int


class LabelCount(BaseModel):
    """A label (null: none) with its images. wanted: how many were asked for; note: why there are fewer."""

    label: str | None
    kept: int
    accepted: int
    wanted: int | None
    notes: list[str]


class CollectionItem(BaseModel):
    """A collection. state: collecting, finished, short (fewer than asked for) or stopped."""

    name: str
    state: str
    created: str
    labels: list[str]
    sources: list[str]
    counts: Counts
    links: dict[str, str]


class CollectionDetail(BaseModel):
    """A collection with its labels and why candidates were rejected, the most frequent first."""

    name: str
    state: str
    created: str
    sources: list[str]
    counts: Counts
    labels: list[LabelCount]
    reasons: list[Reason]
    links: dict[str, str]


class CollectionList(BaseModel):
    """A page of collections, newest first."""

    collections: list[CollectionItem]
    total: int
    limit: int
    offset: int


class EntryReason(BaseModel):
    """Why one candidate was rejected. text: the reason in words; detail: what exactly happened."""

    code: str
    text: str
    detail: str


class Twin(BaseModel):
    """A candidate that was left out because it repeats a kept image."""

    source: str
    rank: int
    url: str
    page_url: str | None
    title: str
    reason: EntryReason


class Entry(BaseModel):
    """A candidate. accepted: it is kept and was not rejected by hand; twins: repeats of it that were left out."""

    state: Literal["kept", "rejected"]
    accepted: bool
    reason: EntryReason | None
    label: str | None
    query: str
    source: str
    rank: int
    url: str
    page_url: str | None
    title: str
    license: Json
    creator: Json
    attribution: str | None
    thumbnail: bool
    sha256: str | None
    width: int | None
    height: int | None
    bytes: int | None
    format: str | None
    group: str | None
    twins: list[Twin]
    links: dict[str, str]


class EntryList(BaseModel):
    """A page of candidates in the order in which they were decided."""

    entries: list[Entry]
    total: int
    limit: int
    offset: int


class Decided(BaseModel):
    """How many images changed sides, and the counts now."""

    changed: int
    counts: Counts
    labels: list[LabelCount]


def _links(collection: Collection) -> dict[str, str]:
    here = f"/api/v1/collections/{quote(collection.name, safe='')}"
    page = f"/collections/{quote(collection.name, safe='')}"
    return {"self": here, "entries": f"{here}/entries", "page": page}


def _text(code: str) -> str:
    try:
        return sentence(code)
    except KeyError:  # of a newer version
        return code


def _counts(collection: Collection, view: View) -> tuple[Counts, list[LabelCount]]:
    gone, found = collection.rejected(), view.labels()
    asked: dict[str, Json] = {}
    for spec in collection.spec.labels:
        asked[spec.label or ""] = {"notes": [], "count": collection.spec.count}
    for entry in collection.labels:
        asked[entry["label"] or ""] = entry
    labels = []
    for name in {**dict.fromkeys(asked), **dict.fromkeys(found)}:
        shas, told = found.get(name, []), asked.get(name, {})
        accepted = sum(sha not in gone for sha in shas)
        notes = list(told.get("notes", []))
        wanted = told.get("count")
        labels.append(LabelCount(label=name or None, kept=len(shas), accepted=accepted, wanted=wanted, notes=notes))
    kept = sum(label.kept for label in labels)
    every = len(view.places)
    accepted = sum(label.accepted for label in labels)
    return Counts(found=every, kept=kept, rejected=every - kept, accepted=accepted), labels


def item_of(collection: Collection, view: View) -> CollectionItem:
    """Return a collection as a list shows it."""
    counts, labels = _counts(collection, view)
    return CollectionItem(
        name=collection.name,
        state=collection.state,
        created=collection.created_at,
        labels=[label.label or "" for label in labels],
        sources=list(collection.spec.sources),
        counts=counts,
        links=_links(collection),
    )


def detail_of(collection: Collection, view: View) -> CollectionDetail:
    """Return a collection with its labels and reasons."""
    counts, labels = _counts(collection, view)
    return CollectionDetail(
        name=collection.name,
        state=collection.state,
        created=collection.created_at,
        sources=list(collection.spec.sources),
        counts=counts,
        labels=labels,
        reasons=[Reason(code=code, text=_text(code), count=count) for code, count in view.reasons()],
        links=_links(collection),
    )


def _reason(line: Json) -> EntryReason | None:
    found = line.get("reason")
    if not found:
        return None
    return EntryReason(code=found["code"], text=_text(found["code"]), detail=str(found.get("detail") or ""))


def entry_of(collection: Collection, line: Json, gone: frozenset[str], twins: list[Json]) -> Entry:
    """Return a candidate with its repeats."""
    kept, sha = line["state"] == "kept", line.get("sha256")
    links = {}
    if kept:
        here = _links(collection)["self"]
        links = {"image": f"{here}/images/{sha}", "thumbnail": f"{here}/thumbnails/{sha}"}
    plain = {name: line.get(name) for name in Entry.model_fields}
    plain |= {"title": line.get("title") or "", "thumbnail": bool(line.get("thumbnail"))}
    plain |= {"license": line.get("license") or {}, "creator": line.get("creator") or {}}
    computed: Json = {"accepted": kept and sha not in gone, "reason": _reason(line), "links": links}
    return Entry(**plain | computed | {"twins": [_twin(one) for one in twins]})


def _twin(line: Json) -> Twin:
    fields = {name: line.get(name) for name in ("source", "rank", "url", "page_url")}
    return Twin(**fields, title=line.get("title") or "", reason=_reason(line))
