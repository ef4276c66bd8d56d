"""Where a collected image came from and whom it is owed to: what travels from its collection to every descendant.

Its JSON form is the same everywhere: `meta.labelloom` of a Label Studio task, `source.credit` of a manifest line.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

UNKNOWN = "unknown"

_TEXTS = (
    "url",
    "page_url",
    "title",
    "query",
    "source",
    "label",
    "fetched_at",
    "attribution",
    "sha256",
    "phash",
    "group",
)
_LONGEST = 4000  # characters of a text; what is longer was not meant for people


@dataclass(frozen=True, slots=True)
class Terms:
    """A licence as far as its source said; nothing known is `unknown`, and never "free".

    raw: the source's own words. spdx: an SPDX id. url: its text. confidence: who said so, or `unknown`.
    """

    raw: str | None = None
    spdx: str | None = None
    url: str | None = None
    confidence: str = UNKNOWN

    @property
    def known(self) -> bool:
        """Whether anything names the licence."""
        return bool(self.spdx or self.raw or self.url)

    @property
    def name(self) -> str:
        """The licence in one word or a few: its SPDX id, else the source's words, its address, or `unknown`."""
        return self.spdx or self.raw or self.url or UNKNOWN

    @property
    def noncommercial(self) -> bool:
        """Whether it is a licence for non-commercial use only."""
        return "NC" in self._parts

    @property
    def no_derivatives(self) -> bool:
        """Whether it forbids changed copies."""
        return "ND" in self._parts

    @property
    def _parts(self) -> list[str]:
        words = self.spdx or self.raw or ""
        return words.upper().replace(" ", "-").replace("_", "-").split("-")


@dataclass(frozen=True, slots=True)
class Credit:
    """The provenance of one collected image; every field may be unknown.

    url: of the image. query, source, rank: what was asked for, of whom, and the place in the answer. sha256, phash: of
    the collected file. group: names its near-duplicates. opt_out: what the host said of robots and machine learning,
    as (signal, value) pairs. changes: what was done to the file when it was collected, one phrase each.
    """

    url: str | None = None
    page_url: str | None = None
    title: str | None = None
    query: str | None = None
    source: str | None = None
    label: str | None = None
    rank: int | None = None
    fetched_at: str | None = None
    license: Terms = Terms()
    creator: str | None = None
    creator_url: str | None = None
    attribution: str | None = None
    opt_out: tuple[tuple[str, str], ...] = ()
    changes: tuple[str, ...] = ()
    sha256: str | None = None
    phash: str | None = None
    group: str | None = None
    thumbnail: bool = False

    @property
    def family(self) -> str | None:
        """What all near-duplicates and descendants of the image share: its group, else its own sha256."""
        return self.group or self.sha256


def credit_to_json(credit: Credit) -> Json:
    """Return a credit as JSON; the licence always stands there, other fields only where something is known."""
    terms = credit.license
    data: Json = {name: value for name in _TEXTS if (value := getattr(credit, name))}
    data["license"] = {"raw": terms.raw, "spdx": terms.spdx, "url": terms.url, "confidence": terms.confidence}
    if credit.rank is not None:
        data["rank"] = credit.rank
    if credit.creator or credit.creator_url:
        data["creator"] = {"name": credit.creator, "url": credit.creator_url}
    if credit.opt_out:
        data["opt_out"] = dict(credit.opt_out)
    if credit.changes:
        data["changes"] = list(credit.changes)
    if credit.thumbnail:
        data["thumbnail"] = True
    return data


def credit_from_json(data: object) -> Credit | None:
    """Return the credit that `credit_to_json` wrote, or a line of a collection's manifest; None where there is none.

    Anything may stand in a task's meta: what is not of the right kind counts as unknown.
    """
    if not isinstance(data, Mapping) or not data:
        return None
    terms, creator, opt_out = _object(data, "license"), _object(data, "creator"), _object(data, "opt_out")
    rank, changes = data.get("rank"), data.get("changes")
    texts: Json = {name: _text(data.get(name)) for name in _TEXTS}
    return Credit(
        **texts,
        rank=rank if isinstance(rank, int) and not isinstance(rank, bool) else None,
        license=_terms(terms),
        creator=_text(creator.get("name")),
        creator_url=_text(creator.get("url")),
        opt_out=tuple((str(name), text) for name, value in opt_out.items() if (text := _text(value))),
        changes=tuple(text for value in changes if (text := _text(value))) if isinstance(changes, list) else (),
        thumbnail=data.get("thumbnail") is True,
    )


def _terms(data: Mapping[str, object]) -> Terms:
    raw, spdx, url = (_text(data.get(name)) for name in ("raw", "spdx", "url"))
    confidence = _text(data.get("confidence"))
    return Terms(raw, spdx, url, (confidence or UNKNOWN) if raw or spdx or url else UNKNOWN)


def _object(data: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = data.get(name)
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str | None:
    return value[:_LONGEST] if isinstance(value, str) and value else None


def unchangeable_line(number: int) -> str:
    """Return the warning about collected images whose licence allows no derivatives, where variants are made."""
    images = "1 collected image" if number == 1 else f"{number:,} collected images"
    return f"{images} may not be changed (ND licence), and an augmented image is a changed one"


def unlicensed_line(number: int) -> str:
    """Return the warning about collected images whose licence nobody named."""
    images = "1 collected image has" if number == 1 else f"{number:,} collected images have"
    return f"{images} no known licence: unknown is not free (`labelloom attribution` lists them)"
