"""Orders from inside Label Studio: who may give them, which job each becomes, and how it goes, said in one line."""

from typing import Any, Literal

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field

from backend.core.errors import LabelLoomError
from backend.flows.jobs import Jobs
from backend.flows.recipes import load_recipe
from backend.settings import Settings
from backend.store.jobs import JobRow, list_jobs
from connectors.label_studio_server import read_account

Json = dict[str, Any]

EVERYBODY = "*"
ORIGINALS = "originals only"  # what stands for an export without a recipe
SHEET = 12  # variants that a contact sheet shows at most
RECENT = 200  # jobs among which a project's last one is looked for


class NotAllowed(LabelLoomError):
    """This person may not start work from inside Label Studio."""


class Selection(BaseModel):
    """Which tasks, as Label Studio's Data Manager says it."""

    model_config = ConfigDict(extra="ignore")

    all: bool = False
    included: list[int] = Field([], max_length=1_000_000)
    excluded: list[int] = Field([], max_length=1_000_000)


class Order(BaseModel):
    """What somebody asks for inside Label Studio. filters: the Data Manager's, as it writes them."""

    model_config = ConfigDict(extra="forbid")

    project: int = Field(gt=0, le=2_147_483_647)
    user: str = Field(min_length=3, max_length=254, description="the Label Studio user's e-mail")
    selection: Selection = Selection(all=True)
    view: int | None = Field(None, gt=0, le=2_147_483_647)
    filters: Json | None = None
    recipe: str | None = Field(None, max_length=100)
    variants: int | None = Field(None, ge=0, le=1000)
    title: str | None = Field(None, min_length=3, max_length=50)
    do: Literal["export", "preview", "train"] = "export"


def allowed_emails(settings: Settings) -> tuple[str, ...]:
    """Return who may order; by default the account that `labelloom up` made."""
    if settings.allowed_emails:
        return settings.allowed_emails
    account = read_account(settings.data_dir / "label-studio")
    return (account.username,) if account else ()


def check_allowed(settings: Settings, email: str) -> None:
    """Make sure that a person may order.

    Raises:
        NotAllowed: the e-mail is not on the list.
    """
    known = allowed_emails(settings)
    if EVERYBODY in known or email.casefold() in {one.casefold() for one in known}:
        return
    msg = f"{email} may not start LabelLoom jobs"
    raise NotAllowed(msg, fix="whoever runs LabelLoom can add the address to LABELLOOM_ALLOWED_EMAILS")


def place(jobs: Jobs, order: Order) -> JobRow:
    """Queue the job that an order asks for.

    Raises:
        NotAllowed: this person may not order.
        UsageError: the recipe is unknown or invalid, or a preview lacks one.
        Busy: the same is being done already.
    """
    check_allowed(jobs.settings, order.user)
    kind, params = job_of(order, jobs.settings)
    return jobs.submit(kind, params, f"{order.user} (Label Studio)")


def job_of(order: Order, settings: Settings) -> tuple[str, Json]:
    """Return an order's kind of job and its parameters; filters and exclusions are resolved when it runs.

    Raises:
        UsageError: the recipe is unknown or invalid.
    """
    if order.do == "train":  # from all annotations, whatever is selected; then the others are pre-labelled
        return "fit", {"project": order.project, "predict": True}
    params: Json = {"project": order.project, "recipe": _recipe(order, settings)}
    if not order.selection.all:
        params["tasks"] = order.selection.included
    else:
        filters = order.filters if (order.filters or {}).get("items") else None
        found = {"view": order.view, "filters": filters, "exclude": order.selection.excluded}
        params |= {name: value for name, value in found.items() if value}
    if order.do == "preview":
        params |= {"variants": min(max(order.variants, 1), SHEET)} if order.variants is not None else {}
    elif order.title:
        params["write_back"] = order.title
    return order.do, params


def _recipe(order: Order, settings: Settings) -> str | Json | None:
    if order.recipe is None:
        return None
    recipe = load_recipe(order.recipe, settings)
    if order.variants is None:
        return order.recipe
    return recipe.model_copy(update={"variants": order.variants}).model_dump(mode="json")


def last_job(engine: sa.Engine, project: int) -> JobRow | None:
    """Return the newest job of a project, or None."""
    recent = list_jobs(engine, limit=RECENT)
    return next((row for row in recent if row.params.get("project") == project), None)


def told(row: JobRow | None) -> str:
    """Return in one line how a job goes, or went."""
    if row is None:
        return "nothing was ordered yet"
    name = f"{row.kind} {row.id}"
    if row.state in {"queued", "cancelling", "cancelled"}:
        return f"{name}: {row.state}"
    if row.state == "running":
        far = f", {row.phase} {row.done} of {row.total or '?'}" if row.phase else ""
        left = f", about {row.eta:.0f} s left" if row.eta else ""
        return f"{name}: running{far}{left}"
    if row.state == "failed":
        return f"{name}: failed: {row.error}" + (f" ({row.fix})" if row.fix else "")
    return f"{name}: done: {_result(row.result or {})}"


def _result(result: Json) -> str:
    parts = []
    if written := result.get("write_back"):
        parts.append(f"project '{written['title']}' with {written['tasks']} tasks, {written['url']}")
    if dataset := result.get("dataset"):
        parts.append(f"dataset {dataset}")
    if result.get("sheet"):
        parts.append(f"a sheet of {result['images']} images")
    if model := result.get("model"):
        used = "" if "promoted" not in result else ", in use now" if result["promoted"] else ", not in use"
        parts.append(f"model {model}{used}")
    counts = (result.get("predict") or result).get("counts") or {}
    if "predicted" in counts:
        parts.append(f"{counts['predicted']} tasks pre-labelled")
    if skipped := len(result.get("skipped") or ()):
        parts.append(f"{skipped} skipped")
    return "; ".join(parts) or "nothing to tell"
