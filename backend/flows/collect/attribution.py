"""Who made the images and under which licence: credits of a collection, a dataset or a project, as CSV or HTML."""

import csv
import html
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from backend.core.credit import Credit, Terms, credit_from_json
from backend.core.errors import LabelLoomError, UsageError
from backend.flows.collect.collection import Collection
from backend.flows.dataset_dir import read_lines
from backend.formats.label_config import LabelConfig
from backend.formats.label_studio_tasks import credit_of, image_name
from backend.imaging.files import write_atomic

Json = dict[str, Any]

_IN_MEMORY = 1 << 20
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")  # what a spreadsheet would calculate
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:80rem;padding:0 1rem;color:#1b1b1b}"
    "table{border-collapse:collapse;width:100%}th,td{border-bottom:1px solid #ddd;padding:.4rem;text-align:left;"
    "vertical-align:top;overflow-wrap:anywhere;min-width:6.5rem}.unknown{color:#a40000;font-weight:600}"
)


@dataclass(frozen=True, slots=True)
class Owed:
    """One source image. file: its name there. images: how many were made of it, itself included."""

    file: str
    credit: Credit | None
    images: int = 1


@dataclass(slots=True)
class Tally:
    """What a credits list holds. uncredited: images of which nothing is known, left out of it."""

    listed: int = 0
    unknown: int = 0
    noncommercial: int = 0
    no_derivatives: int = 0
    uncredited: int = 0

    def add(self, terms: Terms) -> None:
        """Count one listed image."""
        self.listed += 1
        self.unknown += not terms.known
        self.noncommercial += terms.noncommercial
        self.no_derivatives += terms.no_derivatives

    def warnings(self) -> list[str]:
        """Return what stands in the way of using the images."""
        counted = (
            (self.unknown, "with an unknown licence, which is not a free one"),
            (self.noncommercial, "for non-commercial use only (NC)"),
            (self.no_derivatives, "that may not be changed (ND): augmenting them makes derivatives"),
            (self.uncredited, "of which nothing says where they come from; they are not listed"),
        )
        return [f"{number:,} image{'' if number == 1 else 's'} {what}" for number, what in counted if number]


def owed_of_collection(collection: Collection) -> Iterator[Owed]:
    """Yield the accepted images of a collection."""
    return (Owed(Path(entry["file"]).name, credit_from_json(entry)) for entry in collection.kept())


def owed_of_dataset(folder: Path) -> Iterator[Owed]:
    """Yield the source images of a dataset, with how many of its images were made of each."""
    for _, lines in groupby(read_lines(folder), key=lambda line: line["source"].get("sha256") or line["file"]):
        first, *others = lines
        yield Owed(first["file"], _credit_of_source(first["source"]), 1 + len(others))


def owed_of_tasks(tasks: Iterable[Json], config: LabelConfig) -> Iterator[Owed]:
    """Yield the images of Label Studio tasks."""
    return (Owed(image_name(task, config), credit_of(task)) for task in tasks)


def _credit_of_source(source: Json) -> Credit | None:
    """Return a manifest line's credit, or what the task's own columns said of licence and page."""
    terms, page = source.get("license"), source.get("page_url")
    plain = Credit(page_url=page, license=Terms(raw=terms)) if terms or page else None
    return credit_from_json(source.get("credit")) or plain


def write_credits(owed: Iterable[Owed], out: Path, title: str) -> Tally:
    """Write a credits list, whole or not at all, and return what it holds; the suffix says what kind.

    Raises:
        UsageError: the suffix is neither .csv nor .html.
        LabelLoomError: the file cannot be written.
    """
    write = _KINDS.get(out.suffix.lower())
    if write is None:
        msg = f"{out}: credits are written as {' or '.join(_KINDS)}"
        raise UsageError(msg, fix="-o credits.csv, or -o credits.html")
    tally = Tally()
    with SpooledTemporaryFile(max_size=_IN_MEMORY) as spool:
        for one in owed:
            if one.credit is None:
                tally.uncredited += one.images
                continue
            tally.add(one.credit.license)
            spool.write(write[0](one, one.credit).encode("utf-8", "replace"))
        try:
            write_atomic(out, _parts(write[1](title, tally), spool, write[2]))
        except OSError as error:
            msg = f"{out}: cannot be written: {error.strerror}"
            raise LabelLoomError(msg, fix="choose another -o, or free space") from error
    return tally


def _parts(head: str, spool: IO[bytes], foot: str) -> Iterator[bytes]:
    yield head.encode("utf-8", "replace")
    spool.seek(0)
    while chunk := spool.read(_IN_MEMORY):
        yield chunk
    yield foot.encode()


def sentence(credit: Credit) -> str:
    """Return the words of an attribution: the source's own, else title, creator and licence as far as known."""
    if credit.attribution:
        return credit.attribution
    title = f'"{credit.title}"' if credit.title else "Image"
    by = f" by {credit.creator}" if credit.creator else ""
    terms = credit.license.name if credit.license.known else "licence unknown"
    return f"{title}{by}, {terms}"


def _changed(owed: Owed, credit: Credit) -> str:
    """Return what was done to an image; most licences want it said."""
    made = [f"augmented: {owed.images - 1:,} changed copies"] if owed.images > 1 else []
    return "; ".join((*credit.changes, *made))


_COLUMNS: dict[str, Callable[[Owed, Credit], object]] = {
    "file": lambda owed, _: owed.file,
    "images": lambda owed, _: owed.images,
    "title": lambda _, c: c.title,
    "creator": lambda _, c: c.creator,
    "creator_url": lambda _, c: c.creator_url,
    "license": lambda _, c: c.license.name,
    "license_raw": lambda _, c: c.license.raw,
    "license_url": lambda _, c: c.license.url,
    "license_confidence": lambda _, c: c.license.confidence,
    "attribution": lambda _, c: sentence(c),
    "changes": lambda owed, c: _changed(owed, c),
    "source": lambda _, c: c.source,
    "query": lambda _, c: c.query,
    "page_url": lambda _, c: c.page_url,
    "image_url": lambda _, c: c.url,
    "fetched_at": lambda _, c: c.fetched_at,
    "sha256": lambda _, c: c.sha256,
}


def _csv(values: Iterable[object]) -> str:
    """Return one line, in which nothing is a formula to a spreadsheet."""
    buffer = io.StringIO()
    texts = ("" if value is None else str(value) for value in values)
    csv.writer(buffer).writerow(f"'{text}" if text.startswith(_FORMULA) else text for text in texts)
    return buffer.getvalue()


def _csv_row(owed: Owed, credit: Credit) -> str:
    return _csv(value(owed, credit) for value in _COLUMNS.values())


def _csv_head(_title: str, _tally: Tally) -> str:
    return "\ufeff" + _csv(_COLUMNS)  # the mark by which spreadsheets know UTF-8


def _link(url: str | None, text: str) -> str:
    """Return escaped text, linked where the address is one of the web; any other scheme could run something."""
    shown = html.escape(text)
    if not (url or "").lower().startswith(("http://", "https://")):
        return shown
    return f'<a href="{html.escape(url or "")}" rel="noopener noreferrer nofollow">{shown}</a>'


def _html_row(owed: Owed, credit: Credit) -> str:
    terms = credit.license
    licence = _link(terms.url, terms.name) if terms.known else '<span class="unknown">unknown</span>'
    made = f" ({owed.images} images made of it)" if owed.images > 1 else ""
    cells = (
        html.escape(owed.file + made),
        html.escape(credit.title or ""),
        _link(credit.creator_url, credit.creator or credit.creator_url or ""),
        licence,
        _link(credit.page_url or credit.url, credit.page_url or credit.url or ""),
        html.escape(sentence(credit)),
        html.escape(_changed(owed, credit)),
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>\n"


def _html_head(title: str, tally: Tally) -> str:
    name = html.escape(title)
    heads = "".join(f"<th>{word}</th>" for word in _HEADS)
    said = "".join(f"<li>{html.escape(line)}</li>" for line in tally.warnings())
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="referrer" content="no-referrer"><meta name="viewport" content="width=device-width">'
        f"<title>Image credits: {name}</title><style>{_STYLE}</style></head>\n"
        f"<body><h1>Image credits: {name}</h1><p>{tally.listed:,} images.</p><ul>{said}</ul>\n"
        f"<table><thead><tr>{heads}</tr></thead><tbody>\n"
    )


_HEADS = ("File", "Title", "Creator", "Licence", "Where", "Attribution", "Changes")
_KINDS: dict[str, tuple[Callable[[Owed, Credit], str], Callable[[str, Tally], str], str]] = {
    ".csv": (_csv_row, _csv_head, ""),
    ".html": (_html_row, _html_head, "</tbody></table></body></html>\n"),
}
