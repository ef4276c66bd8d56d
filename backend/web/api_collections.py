"""Collections: look at what was collected, accept and reject, import, delete."""

import re
import secrets
import shutil
from typing import Any, cast

from flask import Response, jsonify, send_file
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from backend.core.errors import ImageError, UsageError
from backend.flows.collect.collection import Collection, find_collection, list_collections
from backend.flows.collection_view import View
from backend.flows.thumbnails import thumbnail
from backend.store.jobs import ACTIVE, list_jobs
from backend.web.api_jobs import submit
from backend.web.collection_schemas import (
    CollectionDetail,
    CollectionItem,
    CollectionList,
    CollectionPath,
    Decided,
    Decisions,
    EntriesQuery,
    EntryList,
    ImagePath,
    ImportBody,
    detail_of,
    entry_of,
    item_of,
)
from backend.web.problems import Problem
from backend.web.schemas import ERRORS, FILES, Job, Page
from backend.web.services import answered, services

Json = dict[str, Any]

routes = APIBlueprint(
    "collections", __name__, url_prefix="/api/v1", abp_tags=[Tag(name="collections")], abp_responses=cast(Any, ERRORS)
)
_SHA = re.compile(r"[0-9a-f]{64}")
_KEPT = "private, max-age=86400, immutable"  # the address names the bytes
_INLINE = {"jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp", "gif": "image/gif", "bmp": "image/bmp"}
_HEAD = 512


def _collection(name: str) -> Collection:
    try:
        return find_collection(services().settings, name)
    except (UsageError, OSError, ValueError) as error:
        msg = f"there is no collection {name[:80]!r}"
        raise Problem(404, msg, fix="GET /api/v1/collections lists them") from error


def _view(collection: Collection) -> View:
    return services().views.of(collection.folder)


@routes.get("/collections", summary="List collections, newest first.", responses={200: CollectionList})
def listing(query: Page) -> Json:
    """Return a page of collections."""
    found = list_collections(services().settings)
    shown = [item_of(one, _view(one)) for one in found[query.offset : query.offset + query.limit]]
    page = CollectionList(collections=shown, total=len(found), limit=query.limit, offset=query.offset)
    return page.model_dump(mode="json")


@routes.get("/collections/<string:name>", summary="Show a collection.", responses={200: CollectionDetail})
def show(path: CollectionPath) -> Json:
    """Return a collection with its counts, its labels and why candidates were rejected."""
    collection = _collection(path.name)
    return detail_of(collection, _view(collection)).model_dump(mode="json")


@routes.get("/collections/<string:name>/entries", summary="List candidates.", responses={200: EntryList})
def entries(path: CollectionPath, query: EntriesQuery) -> Json:
    """Return a page of kept images or of rejected candidates, in the order in which they were decided."""
    collection = _collection(path.name)
    view, by_hand = _view(collection), collection.rejected()
    numbers = view.kept(query.label) if query.state == "kept" else view.rejected(query.reason, query.label)
    part = numbers[query.offset : query.offset + query.limit]
    shown = [
        entry_of(collection, line, by_hand, view.read(view.twins.get(number, [])[:20]))
        for number, line in zip(part, view.read(part), strict=True)
    ]
    page = EntryList(entries=shown, total=len(numbers), limit=query.limit, offset=query.offset)
    return page.model_dump(mode="json")


def _image(path: ImagePath) -> Any:
    """Return where a kept image lies; the manifest is not believed if it leads out of the collection."""
    collection = _collection(path.name)
    view = _view(collection)
    number = view.number(path.sha256) if _SHA.fullmatch(path.sha256) else None
    if number is not None:
        root = collection.folder.resolve()
        file = collection.path(view.read([number])[0]).resolve()
        if file.is_relative_to(root / "images") and file.is_file():
            return file
    raise Problem(404, f"collection {collection.name} holds no image {path.sha256[:64]!r}")


@routes.get(
    "/collections/<string:name>/images/<string:sha256>", summary="Fetch an image.", responses=FILES["image/jpeg"]
)
def image(path: ImagePath) -> Response:
    """Return a kept image's file, to be shown if it is of a kind that can do no harm, else to be saved."""
    from backend.imaging.containers import sniff

    file = _image(path)
    with file.open("rb") as stream:
        head = stream.read(_HEAD)
    try:
        kind = _INLINE.get(sniff(head).name)
    except ImageError:
        kind = None
    answer = send_file(file, mimetype=kind or "application/octet-stream", conditional=True)
    name = f"{path.sha256[:16]}{file.suffix}"
    answer.headers.set("Content-Disposition", "inline" if kind else "attachment", filename=name)
    answer.headers["Cache-Control"] = _KEPT
    return answer


@routes.get(
    "/collections/<string:name>/thumbnails/<string:sha256>",
    summary="Fetch a small picture.",
    responses=FILES["image/jpeg"],
)
def small(path: ImagePath) -> Response:
    """Return a kept image as a small JPEG."""
    file = _image(path)
    try:
        made = thumbnail(file, path.sha256, services().settings)
    except ImageError as error:
        raise Problem(409, f"{path.sha256[:16]} cannot be shown: {error}") from error
    answer = send_file(made, mimetype="image/jpeg", conditional=True)
    answer.headers["Cache-Control"] = _KEPT
    return answer


@routes.post("/collections/<string:name>/decisions", summary="Accept and reject images.", responses={200: Decided})
def decide(path: CollectionPath, body: Decisions) -> Json:
    """Leave images out, or take them in again; what is imported afterwards goes by that."""
    collection = _collection(path.name)
    if body.all is None:
        changed = (collection.restore(body.accept) if body.accept else 0) + (
            collection.reject(body.reject) if body.reject else 0
        )
    else:
        found = _view(collection).labels()
        shas = found.get(body.label, []) if body.label is not None else [sha for some in found.values() for sha in some]
        changed = collection.reject(shas) if body.all == "reject" else collection.restore(shas)
    detail = detail_of(collection, _view(collection))
    return Decided(changed=changed, counts=detail.counts, labels=detail.labels).model_dump(mode="json")


@routes.post("/collections/<string:name>/import", summary="Make tasks of a collection.", responses={202: Job})
def import_(path: CollectionPath, body: ImportBody) -> Response:
    """Queue the import of the accepted images."""
    name = _collection(path.name).name
    return submit("import-collection", {"collection": name, **body.model_dump(mode="json", exclude_unset=True)})


@routes.delete("/collections/<string:name>", summary="Delete a collection.", responses={200: CollectionItem})
def delete(path: CollectionPath) -> Response:
    """Delete a collection's files; tasks that were made of it stay."""
    collection = _collection(path.name)
    key = f"collection:{collection.name}"
    with answered():
        busy = next((job for job in list_jobs(services().engine, states=ACTIVE, limit=1000) if job.key == key), None)
    if busy is not None:
        raise Problem(409, f"job {busy.id} works on it", fix="cancel the job first", more={"job": busy.id})
    item = item_of(collection, _view(collection))
    going = collection.folder.with_name(f".deleted-{secrets.token_hex(6)}")
    collection.folder.rename(going)  # at once it is gone for everybody else
    shutil.rmtree(going, ignore_errors=True)
    return jsonify(item.model_dump(mode="json"))
