"""Is an image kept? Compares it with all that is there, and writes the one line that says what became of it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from backend.core.errors import ImageError
from backend.flows.collect.collection import Collection, fingerprint
from backend.flows.collect.fingerprints import Fingerprint, Index, Match
from backend.flows.collect.folder import Staged, Store
from backend.flows.collect.journal import SCHEMA, Journal, url_key
from backend.flows.collect.spec import CollectSpec
from backend.imaging.decode import decode
from backend.imaging.hashes import pixel_hash
from connectors.fetching.values import Got, Lost
from connectors.sources.base import Candidate

Json = dict[str, Any]
Result = Got[Staged | OSError] | Lost
_KINDS = {"file": "the same file as", "pixels": "the same picture as", "near": "nearly the same as"}


@dataclass(frozen=True, slots=True)
class _Picture:
    """A picture in the index. origin: project, kept, or rejected (by hand); path: None where we have no file."""

    name: str
    origin: str
    group: str
    path: Path | None


class Judge:
    """Decides in rank order and remembers; made anew from the manifest when a run is gone on with."""

    def __init__(self, spec: CollectSpec, folder: Path) -> None:
        self._spec = spec
        self._folder = folder
        self._index = Index()
        self._pictures: list[_Picture] = []
        self._pixels: dict[int, str | None] = {}
        self._lines: set[bytes] = set()  # address and label of every line
        self._urls: dict[bytes, str] = {}  # address to the code it was decided with, "kept" for the good ones
        self.kept: Counter[str | None] = Counter()  # by label, without those rejected by hand
        self.rejected: Counter[str] = Counter()
        self.shas: set[str] = set()

    def know(self, known: Iterable[Fingerprint]) -> None:
        """Take in what the project has already."""
        for print_ in known:
            self._index.add(print_)
            self._pictures.append(_Picture(print_.name, "project", print_.sha256[:12], None))

    def remember(self, collection: Collection) -> None:
        """Take in what earlier runs decided."""
        by_hand, own = collection.rejected(), {label.label for label in self._spec.labels}
        for line in collection.entries():
            url = line["url"]
            label = line["label"] if line["label"] in own else None  # else it is the source's own
            self._lines.add(url_key(url, label))
            if line["state"] != "kept":
                self._urls.setdefault(url_key(url), line["reason"]["code"])
                self.rejected[line["reason"]["code"]] += 1
                continue
            self._urls[url_key(url)] = "kept"
            gone = line["sha256"] in by_hand
            self._take(fingerprint(line), line, "rejected" if gone else "kept")
            self.kept[label] += not gone

    def before(self, candidate: Candidate, label: str | None) -> Lost | bool | None:
        """Return what is known without fetching: True has its line already, a `Lost` is what to write, None is nothing.

        An address is fetched once, under whichever label it came first.
        """
        if url_key(candidate.url, label) in self._lines:
            return True
        code = self._urls.get(url_key(candidate.url))
        if code is None:
            return None
        if code == "kept":
            return Lost("duplicate", "the same address was kept before")
        return Lost(code, "the same address, decided before")

    def decide(self, candidate: Candidate, label: str | None, result: Result, tools: tuple[Store, Journal]) -> bool:
        """Write a candidate's line, keep its image or not, and return whether it was kept.

        Raises:
            OSError: the disk is full, or the like.
        """
        store, journal = tools
        line = {**_asked(candidate, label), **_came(result)}
        if isinstance(result, Got):
            if isinstance(result.value, OSError):
                raise result.value
            staged = result.value
            line |= _image(staged)
            match = self._match(line, staged)
            code = self._code(match)
            if code and match:
                store.drop(staged)
                picture = self._pictures[match.index]
                result = Lost(code, f"{_KINDS[match.relation]} {picture.name}")
            else:
                return self._keep(line, match, (staged, label), tools)
        line |= {"state": "rejected", "reason": {"code": result.code, "detail": result.detail}}
        journal.write(line)
        self._noted(candidate.url, label, result.code)
        self.rejected[result.code] += 1
        return False

    def _keep(
        self, line: Json, match: Match | None, what: tuple[Staged, str | None], tools: tuple[Store, Journal]
    ) -> bool:
        staged, label = what
        store, journal = tools
        if self._spec.near == "group":
            near = match is not None and match.relation == "near"
            line["group"] = self._pictures[match.index].group if match and near else line["sha256"][:12]
        line["file"] = store.keep(staged)
        journal.write(line)
        self._noted(line["url"], label, "kept")
        self._take(fingerprint(line), line, "kept")
        self.kept[label] += 1
        return True

    def _take(self, print_: Fingerprint, line: Json, origin: str) -> None:
        self._index.add(print_, line["original_sha256"])
        group = line["group"] or line["sha256"][:12]
        self._pictures.append(_Picture(print_.name, origin, group, self._folder / line["file"]))
        self.shas.add(line["sha256"])

    def _noted(self, url: str, label: str | None, code: str) -> None:
        self._lines.add(url_key(url, label))
        self._urls.setdefault(url_key(url), code)

    def _code(self, match: Match | None) -> str | None:
        """Return why an image with this match is not kept, None where it is."""
        if match is None or (match.relation == "near" and self._spec.near != "skip"):
            return None
        origin = self._pictures[match.index].origin
        if origin == "rejected":
            return "rejected-before"
        if match.relation == "near":
            return "near-duplicate"
        return "known" if origin == "project" else "duplicate"

    def _match(self, line: Json, staged: Staged) -> Match | None:
        """Return the picture it repeats; whole pixels are only compared with pictures that look alike."""
        print_ = fingerprint(line)
        exact = self._index.find(print_, line["original_sha256"])
        if exact or print_.flat:
            return exact
        alike = self._index.alike(print_)
        if not alike:
            return None
        pixels = line["pixels"] = print_.pixels or _pixels(staged.path)
        same = next((place for place in alike if pixels and self._pixels_of(place) == pixels), None)
        return Match(alike[0], "near") if same is None else Match(same, "pixels")

    def _pixels_of(self, place: int) -> str | None:
        if place not in self._pixels:
            path = self._pictures[place].path
            self._pixels[place] = self._index.pixels(place) or (_pixels(path) if path else None)
        return self._pixels[place]


def _pixels(path: Path) -> str | None:
    try:
        return pixel_hash(decode(path.read_bytes()).rgb)
    except (ImageError, OSError):
        return None  # a file that was removed or changed by hand: its hashes still stand for it


def _asked(candidate: Candidate, label: str | None) -> Json:
    return {
        "schema": SCHEMA,
        "state": "kept",
        "reason": None,
        "label": label or candidate.label,
        "query": candidate.query,
        "source": candidate.source,
        "rank": candidate.rank,
        "url": candidate.url,
        "page_url": candidate.page_url,
        "title": candidate.title,
        "license": asdict(candidate.license),
        "creator": {"name": candidate.creator, "url": candidate.creator_url},
        "attribution": candidate.attribution,
        "extra": candidate.extra,
    }


def _came(result: Result) -> Json:
    if isinstance(result, Lost):
        return {"opt_out": asdict(result.opt_out)} if result.opt_out else {}
    return {
        "final_url": result.final_url,
        "redirects": list(result.redirects),
        "thumbnail": result.thumbnail,
        "fetched_at": result.fetched_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "opt_out": asdict(result.opt_out),
        "headers": result.headers,
    }


def _image(staged: Staged) -> Json:
    image = staged.checked
    return {
        "sha256": image.sha256,
        "original_sha256": image.original_sha256,
        "pixels": image.pixels,
        "phash": f"{image.phash:016x}",
        "dhash": f"{image.dhash:016x}",
        "flat": image.flat,
        "width": image.width,
        "height": image.height,
        "bytes": staged.size,
        "format": image.format,
        "changes": list(image.changes),
        "group": None,
    }
