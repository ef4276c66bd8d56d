"""A list of addresses in a file: text, CSV, TSV or JSONL, one image a line.

A line that cannot be read is offered as well, with an address that says which line it is and that nothing can fetch:
so it ends among the rejected ones, by number, and not in silence.
"""

import codecs
import csv
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path

from connectors.sources.base import Access, Candidate, Json, Query, Ready, Source, SourceFault
from connectors.sources.stated import field_of, stated

NAME = "urls"
_WEB = re.compile(r"https?://[^\s/?#]", re.IGNORECASE)
_DELIMITED = {".csv": ",", ".tsv": "\t"}
_SHOWN = 200  # characters of a line that is quoted

Row = tuple[int, Json | str]  # a line's number from 1, and its columns, or what is wrong with it


def search(query: Query, access: Access) -> Iterator[Candidate]:
    """Yield the images a list names, in its order, while it is read.

    Raises:
        SourceFault: there is no such list, or its columns name no address.
    """
    path = Path(query.text).expanduser()
    if query.wanted is not None and query.wanted < 1:
        return
    try:
        if not path.is_file():
            msg = f"{path} is not a file"
            raise SourceFault(kind="bad_request", message=msg, fix="Name a text, CSV, TSV or JSONL file of addresses.")
        for rank, (number, row) in enumerate(_rows(path), start=1):
            yield _candidate(row, number, query.text, rank)
    except OSError as error:
        msg = f"{path}: {error.strerror or error}"
        raise SourceFault(kind="bad_request", message=msg, fix="Check the file.") from error


def _candidate(row: Json | str, number: int, query: str, rank: int) -> Candidate:
    if isinstance(row, str):
        return Candidate(
            url=f"line {number}: {row[:_SHOWN]}", source=NAME, query=query, rank=rank, extra={"line": number}
        )
    found = stated(row)
    url = found.url or ""
    if not _WEB.match(url):
        url = f"line {number}: no http(s) address: {url[:_SHOWN]!r}"
    return Candidate(
        url=url,
        source=NAME,
        query=query,
        rank=rank,
        page_url=found.page_url,
        title=found.title,
        license=found.license,
        creator=found.creator,
        label=found.label,
        extra={**found.extra, "line": number},
    )


def _rows(path: Path) -> Iterator[Row]:
    lines = _lines(path)
    kind = path.suffix.lower()
    head: list[tuple[int, str]] = []
    for number, line in lines:
        if line.strip() and not line.lstrip().startswith("#"):
            head = [(number, line)]
            break
    if not head:
        return
    first = head[0][1].lstrip()
    if kind in {".jsonl", ".ndjson"} or first.startswith("{"):
        yield from _of_jsonl(head, lines)
        return
    delimiter = _DELIMITED.get(kind) or next((each for each in "\t," if _is_header(first, each)), None)
    if delimiter is None:
        yield from _of_text(head, lines)
        return
    yield from _of_table(head[0], lines, delimiter, path)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    with path.open("rb") as stream:
        start = stream.read(4)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # what spreadsheets call Unicode text
        with path.open(encoding="utf-16", errors="replace", newline="") as text:
            yield from enumerate(text, start=1)
        return
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            yield number, _decoded(line.removeprefix(codecs.BOM_UTF8) if number == 1 else line)


def _decoded(line: bytes) -> str:
    for encoding in ("utf-8", "cp949"):  # Korean spreadsheets save CSV as the second
        try:
            return line.decode(encoding)
        except UnicodeDecodeError:
            continue
    return line.decode("utf-8", "replace")


def _of_text(head: list[tuple[int, str]], lines: Iterator[tuple[int, str]]) -> Iterator[Row]:
    for number, line in itertools.chain(head, lines):
        text = line.strip()
        if text and not text.startswith("#"):
            yield number, {"url": text}


def _of_jsonl(head: list[tuple[int, str]], lines: Iterator[tuple[int, str]]) -> Iterator[Row]:
    for number, line in itertools.chain(head, lines):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, _object(line)


def _object(line: str) -> Json | str:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"not JSON ({error}): {line.strip()}"
    if isinstance(found, str):
        return {"url": found}
    return found if isinstance(found, dict) else f"not an object: {line.strip()}"


def _of_table(head: tuple[int, str], lines: Iterator[tuple[int, str]], delimiter: str, path: Path) -> Iterator[Row]:
    at = [head[0]]  # the line that was read last: a record's, as long as its cells hold no line breaks

    def texts() -> Iterator[str]:
        yield head[1]
        for number, line in lines:
            at[0] = number
            yield line

    header: list[str] | None = None
    for cells in _records(csv.reader(texts(), delimiter=delimiter)):
        if isinstance(cells, str):
            yield at[0], cells
            continue
        if header is None:
            header, is_data = _header(cells, path)
            if not is_data:
                continue
        if any(cell.strip() for cell in cells) and not cells[0].lstrip().startswith("#"):
            yield at[0], _columns(header, cells)


def _records(reader: Iterator[list[str]]) -> Iterator[list[str] | str]:
    while True:
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield f"not readable: {error}"


def _columns(header: list[str], cells: list[str]) -> Json | str:
    if len(cells) > len(header):
        return f"{len(cells)} columns, where {len(header)} were expected: {', '.join(cells)}"
    return dict(zip(header, (cell.strip() for cell in cells), strict=False))


def _header(cells: list[str], path: Path) -> tuple[list[str], bool]:
    """Return the columns' names, and whether the first line is an image already."""
    if any(field_of(cell) == "url" for cell in cells):
        return [cell.strip() for cell in cells], False
    place = next((n for n, cell in enumerate(cells) if _WEB.match(cell.strip())), None)
    if place is None:
        msg = f"{path}: no column is called url; the columns are {', '.join(cells)[:_SHOWN]}"
        raise SourceFault(kind="bad_request", message=msg, fix="Call the column with the addresses url.")
    return ["url" if n == place else f"column {n + 1}" for n in range(len(cells))], True


def _is_header(line: str, delimiter: str) -> bool:
    cells = line.split(delimiter)
    return len(cells) > 1 and any(field_of(cell.strip().strip('"')) == "url" for cell in cells)


def ready(_: Access) -> Ready:
    """Tell that nothing is needed."""
    return Ready(True, "reads a text, CSV, TSV or JSONL file")


SOURCE = Source(
    name=NAME, summary="A list of image addresses in a file", takes="list", search=search, ready=ready, licensed=True
)
