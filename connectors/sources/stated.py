"""What users write about an image - in a list, in a file beside it - under the names they use for it."""

from collections.abc import Mapping
from dataclasses import dataclass

from connectors.sources.base import UNKNOWN, Confidence, Json, License
from connectors.sources.licenses import spdx_of

_NAMES = {
    "url": ("url", "image_url", "imageurl", "image", "link", "src", "주소"),
    "label": ("label", "class", "category", "라벨"),
    "license": ("license", "licence", "license_name", "라이선스"),
    "license_url": ("license_url", "licence_url"),
    "creator": ("credit", "creator", "author", "artist", "photographer", "저작자"),
    "page_url": ("page_url", "page", "source_url", "webpage_url", "referer"),
    "title": ("title", "caption", "제목"),
    "sha256": ("sha256",),
}
_FIELD = {name: field for field, names in _NAMES.items() for name in names}


@dataclass(frozen=True, slots=True)
class Stated:
    """What was written; None where nothing was. extra: all other columns, as they are, and sha256."""

    url: str | None
    label: str | None
    license: License
    creator: str | None
    page_url: str | None
    title: str
    extra: Json


def field_of(column: str) -> str | None:
    """Return the field a column's name means, None for a name of the user's own."""
    return _FIELD.get(column.strip().lower().replace(" ", "_").replace("-", "_"))


def stated(columns: Mapping[str, object]) -> Stated:
    """Return the values of one image's columns."""
    known: dict[str, str] = {}
    extra: Json = {}
    for column, value in columns.items():
        field = field_of(column)
        if value is None or value == "":
            continue
        if field is None or field in known or isinstance(value, list | dict):
            extra[column] = value
        else:
            known[field] = str(value).strip()
    if "sha256" in known:
        extra["sha256"] = known["sha256"].lower()
    page = known.get("page_url", "")
    return Stated(
        url=known.get("url"),
        label=known.get("label") or None,
        license=license_of(known.get("license"), known.get("license_url"), "file"),
        creator=known.get("creator") or None,
        page_url=page if page.startswith(("http://", "https://")) else None,
        title=known.get("title", ""),
        extra=extra,
    )


def license_of(raw: str | None, url: str | None, confidence: Confidence) -> License:
    """Return a licence as somebody named it: by its name, its address, or both."""
    raw, url = (raw or "").strip() or None, (url or "").strip() or None
    if raw and url is None and raw.startswith(("http://", "https://")):
        url = raw
    if raw is None and url is None:
        return UNKNOWN
    return License(raw or url, spdx_of(url) or spdx_of(raw), url, confidence)
