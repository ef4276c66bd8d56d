"""A recipe's variants of one picture, drawn now, with every region's fate."""

from base64 import b64encode
from typing import TYPE_CHECKING, Any, cast

from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field, model_validator

from backend.core.errors import LabelLoomError, UsageError
from backend.core.recipe import Recipe, parse_recipe
from backend.flows.job_base import dataset_path
from backend.web.api_recipes import document
from backend.web.problems import Problem
from backend.web.schemas import ERRORS, NUMBER, RecipeBody
from backend.web.services import services

if TYPE_CHECKING:
    from backend.flows.live_preview import Picture

Json = dict[str, Any]

routes = APIBlueprint(
    "previews", __name__, url_prefix="/api/v1", abp_tags=[Tag(name="recipes")], abp_responses=cast(Any, ERRORS)
)


class PreviewBody(RecipeBody):
    """Which picture, by which recipe. image: its number, round and round; shuffle: 1 for the next variants, ..."""

    dataset: str | None = Field(None, max_length=1024)
    project: int | None = Field(None, ge=1, le=NUMBER)
    image: int = Field(0, ge=0, le=NUMBER)
    variants: int = Field(8, ge=1, le=12)
    shuffle: int = Field(0, ge=0, le=10_000)
    worst: bool = False

    @model_validator(mode="after")
    def _one_source(self) -> "PreviewBody":
        if (self.dataset is None) == (self.project is None):
            msg = "give either dataset or project"
            raise ValueError(msg)
        return self


class OutlineItem(BaseModel):
    """A region: rings of [x, y] in pixels of the full-size picture; a keypoint is a ring of one point."""

    label: str
    rings: list[list[tuple[float, float]]]


class PictureItem(BaseModel):
    """The original (number 0) or a variant. picture: a data URL; null where every attempt was refused, see reasons."""

    number: int
    picture: str | None
    width: int
    height: int
    outlines: list[OutlineItem]
    ledger: list[Json]
    steps: list[str]
    reasons: list[str]


class PreviewList(BaseModel):
    """One picture and its variants. image: its number of `images` that can be looked at."""

    name: str
    image: int
    images: int
    original: PictureItem
    variants: list[PictureItem]


def _item(picture: "Picture") -> PictureItem:
    data = None if picture.jpeg is None else f"data:image/jpeg;base64,{b64encode(picture.jpeg).decode()}"
    return PictureItem(
        number=picture.number,
        picture=data,
        width=picture.width,
        height=picture.height,
        outlines=[OutlineItem(label=one.label, rings=[list(ring) for ring in one.rings]) for one in picture.outlines],
        ledger=[entry.to_json() for entry in picture.ledger],
        steps=list(picture.steps),
        reasons=list(picture.reasons),
    )


def _recipe(body: PreviewBody) -> Recipe:
    from backend.flows.style.pinned import check_served

    recipe = parse_recipe(document(body))
    check_served(recipe, services().settings)
    return recipe


@routes.post("/previews", summary="Draw one picture's variants, now.", responses={200: PreviewList})
def preview(body: PreviewBody) -> Json:
    """Return pictures of at most 480 pixels a side; drawing the same picture by another recipe reads nothing again."""
    from backend.flows.live_preview import Wish

    settings, recipe = services().settings, _recipe(body)
    wanted = {name: getattr(body, name) for name in ("project", "image", "variants", "shuffle", "worst")}
    try:
        folder = dataset_path(body.dataset, settings) if body.dataset is not None else None
        live = services().live.draw(Wish(recipe, folder, **wanted))
    except (OSError, ValueError) as error:
        msg = "this cannot be a dataset's name"
        raise UsageError(msg, fix="GET /api/v1/datasets lists them") from error
    except UsageError:
        raise
    except LabelLoomError as error:
        raise Problem(409, str(error), fix=error.fix) from error
    variants = [_item(one) for one in live.variants]
    answer = PreviewList(
        name=live.name, image=live.image, images=live.images, original=_item(live.original), variants=variants
    )
    return answer.model_dump(mode="json")
