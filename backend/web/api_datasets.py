"""Datasets in the data folder: list, look into, download, upload."""

import shutil
import tempfile
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from flask import Response, jsonify, request, send_file, url_for
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models import RawModel
from flask_openapi3.models.tag import Tag
from werkzeug.http import dump_options_header

from backend.core.errors import UsageError
from backend.core.names import safe_stem
from backend.flows.dataset_dir import read_description
from backend.store.datasets import DatasetRow, list_datasets, record_dataset
from backend.web.archive import CHUNK, stream_zip, unpack
from backend.web.problems import Problem
from backend.web.schemas import ERRORS, FILES, DatasetDetail, DatasetItem, DatasetList, NamePath, Page, UploadQuery
from backend.web.security import caller
from backend.web.services import services

Json = dict[str, Any]

routes = APIBlueprint(
    "datasets", __name__, url_prefix="/api/v1", abp_tags=[Tag(name="datasets")], abp_responses=cast(Any, ERRORS)
)


class ZipBody(RawModel):
    """A zip file."""


ZipBody.mimetypes = ["application/zip"]


def _rows() -> list[DatasetRow]:
    """Return the datasets that lie in the datasets folder; those made elsewhere are the command line's alone."""
    folder = services().datasets_dir
    return [row for row in list_datasets(services().engine) if row.path.parent == folder]


def _row(name: str) -> DatasetRow:
    for row in _rows():
        if row.name == name and row.path.is_dir():
            return row
    raise Problem(404, f"there is no dataset {name[:80]!r}", fix="GET /api/v1/datasets lists them")


def _item(row: DatasetRow) -> DatasetItem:
    links = {what: url_for(f"datasets.{what}", name=row.name) for what in ("show", "manifest", "download")}
    links["self"] = links.pop("show")
    return DatasetItem(
        name=row.name, source=row.source, images=row.images, created=row.created, project=row.project, links=links
    )


@routes.get("/datasets", summary="List datasets, newest first.", responses={200: DatasetList})
def listing(query: Page) -> Json:
    """Return a page of datasets."""
    rows = [row for row in _rows() if row.path.is_dir()]
    shown = [_item(row) for row in rows[query.offset : query.offset + query.limit]]
    page = DatasetList(datasets=shown, total=len(rows), limit=query.limit, offset=query.offset)
    return page.model_dump(mode="json")


@routes.get("/datasets/<string:name>", summary="Show a dataset.", responses={200: DatasetDetail})
def show(path: NamePath) -> Json:
    """Return a dataset with its description."""
    row = _row(path.name)
    try:
        description = read_description(row.path)
    except UsageError:
        description = None  # an uploaded one has none
    return DatasetDetail(**_item(row).model_dump(), description=description).model_dump(mode="json")


@routes.get(
    "/datasets/<string:name>/manifest", summary="Read a dataset's manifest.", responses=FILES["application/x-ndjson"]
)
def manifest(path: NamePath) -> Response:
    """Stream `manifest.jsonl`."""
    file = _row(path.name).path / "manifest.jsonl"
    if not file.is_file():
        raise Problem(404, f"{path.name} was not made by LabelLoom, so it has no manifest")
    return send_file(file, mimetype="application/x-ndjson", conditional=True)


@routes.get("/datasets/<string:name>/download", summary="Download a dataset.", responses=FILES["application/zip"])
def download(path: NamePath) -> Response:
    """Stream a zip file; nothing is stored on the way."""
    row = _row(path.name)
    answer = Response(stream_zip(row.path), mimetype="application/zip")
    answer.headers["Content-Disposition"] = _attachment(f"{row.name}.zip")
    return answer


def _attachment(name: str) -> str:
    """Return the header that has a browser save an answer; headers are Latin-1, names are not (RFC 6266, RFC 8187)."""
    asked = {"filename": name} if name.isascii() else {"filename*": f"UTF-8''{quote(name, safe='')}"}
    return dump_options_header("attachment", asked)


@routes.post("/datasets", summary="Upload a dataset as a zip file.", responses={201: DatasetItem})
def upload(query: UploadQuery, raw: ZipBody) -> Response:
    """Unpack a zip file in any of the formats; the dataset is there whole or not at all."""
    name, folder = query.name, services().datasets_dir
    usable = safe_stem(name.lstrip("-."))  # programs take a leading dash for an option, and hide a leading dot
    if name != usable:
        msg = f"{name!r} cannot be a dataset's name; {usable!r} can"
        raise Problem(422, msg, errors=[("name", msg)])
    if (folder / name).exists():
        raise Problem(409, f"there is a dataset {name!r} already", fix="choose another name")
    if request.mimetype != "application/zip":
        raise Problem(415, f"the body is {request.mimetype or 'of no type'}", fix="send Content-Type: application/zip")
    if not request.content_length:
        raise Problem(411, "the length of the upload is not known", fix="send Content-Length")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".upload-") as temporary:
        images = _receive(Path(temporary))
        _move(Path(temporary) / "dataset", folder / name)
    record_dataset(services().engine, folder / name, source=f"uploaded by {caller().who}"[:255], images=images)
    answer = jsonify(_item(_row(name)).model_dump(mode="json"))
    answer.status_code = 201
    answer.headers["Location"] = url_for("datasets.show", name=name)
    return answer


def _receive(place: Path) -> int:
    """Store the body, unpack it into `place/dataset` and return how many images it holds.

    Raises:
        UsageError: it is not a zip file of a dataset.
    """
    target = place / "dataset"
    target.mkdir()
    with (place / "body.zip").open("w+b") as file:
        shutil.copyfileobj(request.stream, file, CHUNK)
        file.seek(0)
        unpack(file, target)
    inner = list(target.iterdir())
    if len(inner) == 1 and inner[0].is_dir():  # one folder around everything, as most programs make it
        inner[0].rename(place / "inner")
        target.rmdir()
        (place / "inner").rename(target)
    return _count(target)


def _count(folder: Path) -> int:
    from backend.core.model import Sample
    from backend.formats.recognise import open_dataset

    try:
        images = sum(1 for sample in open_dataset(folder).samples if isinstance(sample, Sample))
    except UsageError as error:
        msg = str(error).replace(str(folder), "the zip file")
        raise UsageError(msg, fix="docs/formats.md says what is read") from error
    if not images:
        msg = "the zip file holds no image with labels that can be read"
        raise UsageError(msg, fix="docs/formats.md says what is read")
    return images


def _move(source: Path, target: Path) -> None:
    try:
        source.rename(target)
    except OSError as error:  # somebody else's upload of that name was quicker
        raise Problem(409, f"there is a dataset {target.name!r} already", fix="choose another name") from error
