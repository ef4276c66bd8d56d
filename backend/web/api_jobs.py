"""Jobs: one route for each verb, one for all of them, and looking at them, stopping and resuming."""

from datetime import timedelta
from typing import Any, cast

from flask import Response, jsonify, send_file, url_for
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import ValidationError

from backend.core.errors import UsageError
from backend.flows.job_base import Kind, Params, dataset_path
from backend.flows.job_kinds import KINDS, recipe_of
from backend.flows.job_kinds_collect import collection_of, refused
from backend.flows.job_kinds_style import check_styles
from backend.store.jobs import JobRow, count_states, get_job, lines_of, list_jobs
from backend.store.workers import alive
from backend.web.problems import Problem, invalid
from backend.web.schemas import ERRORS, FILES, Job, JobBody, JobList, JobPath, JobsQuery, Line, Lines, LinesQuery
from backend.web.security import caller
from backend.web.services import answered, services

Json = dict[str, Any]

routes = APIBlueprint(
    "jobs", __name__, url_prefix="/api/v1", abp_tags=[Tag(name="jobs")], abp_responses=cast(Any, ERRORS)
)
_LONG = ("skipped", "ledger", "losses")  # parts of a result that a list leaves out


def job_json(row: JobRow, *, brief: bool = False) -> Json:
    """Return a job as the API shows it. brief: without the long parts of its result."""
    result = row.result
    if brief and result:
        result = {key: value for key, value in result.items() if key not in _LONG}
    fields = {name: getattr(row, name) for name in Job.model_fields if name not in {"result", "links"}}
    return Job(**fields, result=result, links=_links(row)).model_dump(mode="json")


def _links(row: JobRow) -> dict[str, str]:
    links = {"self": url_for("jobs.show", job=row.id), "lines": url_for("jobs.lines", job=row.id)}
    result = row.result or {}
    if result.get("sheet"):
        links["sheet"] = url_for("jobs.sheet", job=row.id)
    if result.get("dataset"):
        links["dataset"] = url_for("datasets.show", name=result["dataset"])
        links["download"] = url_for("datasets.download", name=result["dataset"])
    if name := collection_of(row.kind, row.params):
        links["collection"] = url_for("collections.show", name=name)
        links |= {"look": url_for("pages.collection", name=name)} if result else {}
    project = result.get("url") or (result.get("write_back") or {}).get("url")
    return links | ({"project": str(project)} if project else {})


def submit(kind: str, params: Json) -> Response:
    """Check what can be checked at once, enter the job, and answer with it.

    Raises:
        Problem: 422, the parameters are invalid; 409, another job does the same already.
    """
    try:
        parsed = KINDS[kind].parse(params)
    except ValidationError as error:
        raise invalid(error) from error
    _look_ahead(parsed)
    with answered():
        row = services().jobs.submit(kind, params, caller().who)
    answer = jsonify(job_json(row))
    answer.status_code = 202
    answer.headers["Location"] = url_for("jobs.show", job=row.id)
    return answer


def _look_ahead(params: Params) -> None:
    """Refuse what the job would refuse as its first step: a recipe, a dataset, a source, a path, a style."""
    settings = services().settings
    if (found := refused(params, settings)) is not None:
        field, error = found
        raise Problem(422, str(error), fix=error.fix, errors=[(field, str(error))]) from error
    check_styles(params, settings)
    recipe, dataset = getattr(params, "recipe", None), getattr(params, "dataset", None)
    if recipe is not None:
        recipe_of(recipe, settings, "recipe")
    if dataset is not None:
        try:
            dataset_path(dataset, settings)
        except (UsageError, OSError, ValueError) as error:
            detail = str(error) if isinstance(error, UsageError) else "this cannot be a dataset's name"
            raise Problem(422, detail, fix=getattr(error, "fix", None), errors=[("dataset", detail)]) from error


def _verb(kind: Kind[Any]) -> None:
    def view(body: Params) -> Response:
        return submit(kind.name, body.model_dump(mode="json", exclude_unset=True))

    view.__annotations__["body"] = kind.params
    view.__name__ = view.__qualname__ = f"submit_{kind.name}"
    summary = (kind.params.__doc__ or kind.name).strip()
    routes.post(f"/{kind.name}", summary=summary, responses=cast(Any, {202: Job}))(view)


for _kind in KINDS.values():
    _verb(_kind)


@routes.post("/jobs", summary="Submit a job of any kind.", responses={202: Job})
def submit_any(body: JobBody) -> Response:
    """Submit a job; the parameters are those of the kind's own route."""
    if body.kind not in KINDS:
        msg = f"choose from {', '.join(KINDS)}"
        raise Problem(422, f"unknown kind of job {body.kind[:50]!r}", fix=msg, errors=[("kind", msg)])
    try:
        KINDS[body.kind].parse(body.params)
    except ValidationError as error:
        raise invalid(error, under="params") from error
    return submit(body.kind, body.params)


@routes.get("/jobs", summary="List jobs, newest first.", responses={200: JobList})
def listing(query: JobsQuery) -> Json:
    """Return a page of jobs, how many are in each state, and how many workers are alive."""
    engine = services().engine
    workers = alive(engine, timedelta(seconds=services().settings.worker_timeout))
    rows = list_jobs(engine, states=query.state, kind=query.kind, limit=query.limit, offset=query.offset)
    jobs = [job_json(row, brief=True) for row in rows]
    page = {"limit": query.limit, "offset": query.offset}
    return {"jobs": jobs, "totals": count_states(engine), "workers": len(workers)} | page


def _row(job: str) -> JobRow:
    row = get_job(services().engine, job)
    if row is None:
        raise Problem(404, f"there is no job {job[:50]!r}", fix="GET /api/v1/jobs lists them")
    return row


@routes.get("/jobs/<string:job>", summary="Show a job.", responses={200: Job})
def show(path: JobPath) -> Json:
    """Return a job with its whole result."""
    return job_json(_row(path.job))


@routes.get("/jobs/<string:job>/lines", summary="Read a job's log.", responses={200: Lines})
def lines(path: JobPath, query: LinesQuery) -> Json:
    """Return log lines after a number."""
    _row(path.job)
    found = [
        Line(number=n, at=at, text=text) for n, at, text in lines_of(services().engine, path.job, after=query.after)
    ]
    return Lines(lines=found, next=found[-1].number if found else query.after).model_dump(mode="json")


@routes.get("/jobs/<string:job>/sheet", summary="Fetch a preview's contact sheet.", responses=FILES["image/jpeg"])
def sheet(path: JobPath) -> Response:
    """Return the picture that a preview job drew."""
    row = _row(path.job)
    file = services().settings.sheets_dir.resolve() / f"{row.id}.jpg"
    if row.kind not in {"preview", "style-sheet"} or not file.is_file():
        raise Problem(404, f"job {row.id} has no contact sheet", fix="only previews that are done have one")
    return send_file(file, mimetype="image/jpeg", conditional=True)


@routes.post("/jobs/<string:job>/cancel", summary="Stop a job after the item in hand.", responses={200: Job})
def cancel(path: JobPath) -> Json:
    """Ask a job to stop; a finished one stays as it is."""
    _row(path.job)
    return job_json(services().jobs.cancel(path.job))


@routes.post("/jobs/<string:job>/resume", summary="Go on with a failed or cancelled job.", responses={200: Job})
def resume(path: JobPath) -> Json:
    """Enqueue a job again; what it had done stays done."""
    _row(path.job)
    return job_json(services().jobs.resume(path.job))
