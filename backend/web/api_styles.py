"""Styles: list, look at, add, remove; and one picture painted at once, to choose a style and a strength by."""

from itertools import islice
from pathlib import Path
from typing import Any, cast

from flask import Response, jsonify, request, send_file, url_for
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models import RawModel
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field, model_validator

from backend.core.errors import ImageError, UsageError
from backend.flows.job_base import dataset_path
from backend.flows.job_kinds_style import EngineName, Share
from backend.flows.style.contents import keep_content, kept_content, picture_of
from backend.flows.style.library import MADE, add_bytes, made_styles, own_styles, remove_style, sha256_of
from backend.flows.style.pinned import check_library
from backend.imaging.decode import probe
from backend.style import ENGINES
from backend.web.problems import Problem
from backend.web.schemas import ERRORS, FILES, Asked, Page
from backend.web.services import services

Json = dict[str, Any]

routes = APIBlueprint(
    "styles", __name__, url_prefix="/api/v1", abp_tags=[Tag(name="styles")], abp_responses=cast(Any, ERRORS)
)


class PictureBody(RawModel):
    """A picture, of any kind that can be decoded."""


PictureBody.mimetypes = ["application/octet-stream"]


class StylePath(BaseModel):
    """A style's name, which may hold a slash: made/impasto."""

    name: str


class NameQuery(Asked):
    """What a style shall be called."""

    name: str = Field(min_length=1, max_length=100)


class StyleItem(BaseModel):
    """A style. made: LabelLoom makes it, so it cannot be removed."""

    name: str
    sha256: str
    made: bool
    links: dict[str, str]


class EngineItem(BaseModel):
    """An engine. detail: it heeds `detail`."""

    name: str
    summary: str
    detail: bool


class StyleList(BaseModel):
    """A page of styles, your own first; and the engines."""

    styles: list[StyleItem]
    engines: list[EngineItem]
    total: int
    limit: int
    offset: int


class Content(BaseModel):
    """A picture that was kept. content: how to name it; width and height: pixels."""

    content: str
    width: int
    height: int


class PreviewBody(Asked):
    """What to paint: a picture of a dataset (its first, if `image` does not say which), or one that was sent."""

    dataset: str | None = Field(None, max_length=1024)
    image: str | None = Field(None, min_length=1, max_length=1024, description="below the dataset's folder")
    content: str | None = Field(None, max_length=80, description="as POST /api/v1/styles/contents answered")
    style: str = Field(min_length=1, max_length=200)
    engine: EngineName = "compact"
    alpha: Share = 0.6
    detail: Share = 1.0
    keep_color: bool = False

    @model_validator(mode="after")
    def _one_source(self) -> "PreviewBody":
        if (self.dataset is None) == (self.content is None):
            msg = "give either dataset or content"
            raise ValueError(msg)
        return self


def _item(name: str, path: Path) -> StyleItem:
    links = {"image": url_for("styles.image", name=name)}
    return StyleItem(name=name, sha256=sha256_of(path), made=name.startswith(f"{MADE}/"), links=links)


def _file(name: str) -> Path:
    settings = services().settings
    for known, path in (*own_styles(settings), *made_styles(settings, name)):
        if known == name:
            return path
    raise Problem(404, f"there is no style {name[:100]!r}", fix="GET /api/v1/styles lists them")


def _received() -> bytes:
    """Return the picture that was sent."""
    if request.mimetype != "application/octet-stream" and not request.mimetype.startswith("image/"):
        kind = request.mimetype or "of no type"
        raise Problem(415, f"the body is {kind}", fix="send Content-Type: application/octet-stream, or the picture's")
    if not request.content_length:
        raise Problem(411, "the length of the upload is not known", fix="send Content-Length")
    return request.get_data(cache=False)


def _refused(error: ImageError) -> Problem:
    msg = f"the body is no picture that can be used: {error}"
    return Problem(422, msg, fix=error.fix or "send a PNG, JPEG, WebP, TIFF, BMP, GIF or AVIF", errors=[("", msg)])


@routes.get("/styles", summary="List styles and engines.", responses={200: StyleList})
def listing(query: Page) -> Json:
    """Return a page of styles."""
    known = [*own_styles(services().settings), *made_styles(services().settings)]
    shown = [_item(*one) for one in islice(known, query.offset, query.offset + query.limit)]
    engines = [EngineItem(name=kind.name, summary=kind.summary, detail=kind.detail) for kind in ENGINES.values()]
    page = StyleList(styles=shown, engines=engines, total=len(known), limit=query.limit, offset=query.offset)
    return page.model_dump(mode="json")


@routes.post("/styles", summary="Add a style: the body is its picture.", responses={201: StyleItem})
def add(query: NameQuery, raw: PictureBody) -> Response:
    """Put a picture into the library; at most 50 MB."""
    try:
        style = add_bytes(_received(), query.name, services().settings)
    except ImageError as error:
        raise _refused(error) from error
    answer = jsonify(_item(style.name, style.path).model_dump(mode="json"))
    answer.status_code = 201
    answer.headers["Location"] = url_for("styles.image", name=style.name)
    return answer


@routes.get("/styles/<path:name>/image", summary="Fetch a style's picture.", responses=FILES["image/jpeg"])
def image(path: StylePath) -> Response:
    """Return the picture as it was added."""
    file = _file(path.name)
    return send_file(file.resolve(), mimetype=f"image/{probe(file).format}", conditional=True)


@routes.delete("/styles/<path:name>", summary="Remove a style that was added.", responses={204: None})
def remove(path: StylePath) -> tuple[str, int]:
    """Remove a style; what was made with it keeps its own copy."""
    _file(path.name)
    remove_style(path.name, services().settings)
    return "", 204


@routes.post("/styles/contents", summary="Send a picture to preview styles on.", responses={201: Content})
def content(raw: PictureBody) -> Response:
    """Keep a picture in the cache; at most 50 MB."""
    try:
        name, width, height = keep_content(_received(), services().settings)
    except ImageError as error:
        raise _refused(error) from error
    answer = jsonify(Content(content=name, width=width, height=height).model_dump(mode="json"))
    answer.status_code = 201
    return answer


@routes.post("/styles/preview", summary="Paint one picture in one style, now.", responses=FILES["image/jpeg"])
def preview(body: PreviewBody) -> Response:
    """Return pixels; moving alpha or detail only paints again what was looked at before."""
    from backend.flows.style.preview import Wish

    check_library([body.style], services().settings)
    wish = Wish(**body.model_dump(exclude={"dataset", "image", "content"}))
    try:
        data = _content(body).read_bytes()
        return Response(services().previews.paint(data, wish), mimetype="image/jpeg")
    except (ImageError, OSError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise Problem(409, f"a picture cannot be read: {why}", fix="choose another picture or style") from error


def _content(body: PreviewBody) -> Path:
    settings = services().settings
    if body.content is not None:
        return kept_content(body.content, settings)
    try:
        return picture_of(dataset_path(body.dataset or "", settings), body.image)
    except (OSError, ValueError) as error:
        msg = "this cannot be a dataset's name"
        raise UsageError(msg, fix="GET /api/v1/datasets lists them") from error
