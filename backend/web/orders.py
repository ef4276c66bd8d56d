"""What the entry in Label Studio's Actions menu asks: what its form offers, and the order itself."""

import threading
from contextlib import suppress
from typing import Any, cast

from flask import Response, jsonify, url_for
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field

from backend.flows.orders import NotAllowed, Order, check_allowed, last_job, place, told
from backend.flows.recipes import list_recipes
from backend.web.problems import Problem
from backend.web.schemas import ERRORS, NUMBER, Asked
from backend.web.services import Services, answered, services

Json = dict[str, Any]

routes = APIBlueprint(
    "orders", __name__, url_prefix="/api/v1", abp_tags=[Tag(name="orders")], abp_responses=cast(Any, ERRORS)
)


class FormQuery(Asked):
    """Whose form for which project."""

    project: int = Field(gt=0, le=NUMBER)
    user: str = Field(min_length=3, max_length=254, description="the Label Studio user's e-mail")


class Offer(BaseModel):
    """A recipe that can be chosen."""

    name: str
    about: str


class Form(BaseModel):
    """What the form shows. problem: why this user cannot order; last: how the project's last job went."""

    recipes: list[Offer]
    problem: str | None
    last: str


class Placed(BaseModel):
    """The job that an order became."""

    id: str
    kind: str
    state: str


@routes.get("/orders/form", summary="What an order form offers.", responses={200: Form})
def form(query: FormQuery) -> Json:
    """Return the recipes, the project's last job, and whether this user may order."""
    found = services()
    # Opening the queue for the first time takes longer than Label Studio waits for the order that follows.
    threading.Thread(target=_warm, args=(found,), daemon=True).start()
    settings, problem = found.settings, None
    try:
        check_allowed(settings, query.user)
    except NotAllowed as error:
        problem = f"{error}; {error.fix}"
    offers = [Offer(name=recipe.name, about=recipe.about) for recipe in list_recipes(settings)]
    with answered():
        last = told(last_job(found.engine, query.project))
    return Form(recipes=offers, problem=problem, last=last).model_dump()


def _warm(found: Services) -> None:
    with suppress(Problem):  # the order itself will tell
        _ = found.jobs


@routes.post("/orders", summary="Order from inside Label Studio.", responses={202: Placed})
def order(body: Order) -> Response:
    """Queue the job that a Label Studio user asks for; filters and exclusions are resolved when it runs."""
    try:
        with answered():
            row = place(services().jobs, body)
    except NotAllowed as error:
        raise Problem(403, str(error), fix=error.fix) from error
    answer = jsonify(Placed(id=row.id, kind=row.kind, state=row.state).model_dump())
    answer.status_code = 202
    answer.headers["Location"] = url_for("jobs.show", job=row.id)
    return answer
