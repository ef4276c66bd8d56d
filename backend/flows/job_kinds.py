"""The verbs as jobs: what each takes (the HTTP API's schemas) and returns. A new kind is one line in `KINDS`."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from backend.core.codec import digest
from backend.core.errors import UsageError
from backend.core.recipe import Recipe, parse_recipe
from backend.flows.builder.model import Report
from backend.flows.job_base import DatasetName, FormatKey, Kind, NewName, Number, Params, Tools, dataset_path
from backend.flows.job_kinds_collect import COLLECT_KINDS
from backend.flows.job_kinds_detect import DETECT_KINDS
from backend.flows.job_kinds_style import STYLE_KINDS
from backend.flows.recipes import load_recipe, plain_recipe
from backend.settings import Settings

if TYPE_CHECKING:
    from backend.flows.chosen import Chosen

Json = dict[str, Any]


class Choice(Params):
    """Which tasks of a project."""

    view: Number | None = Field(None, description="a Data Manager tab's id")
    tasks: list[Number] | None = Field(None, max_length=1_000_000, description="task ids")
    exclude: list[Number] = Field([], max_length=1_000_000, description="ids of tasks that are left out")
    filters: Json | None = Field(None, description="the Data Manager's filters, as Label Studio writes them")
    labels: list[str] = Field([], max_length=1000)
    since: datetime | None = None
    annotations: Literal["newest", "ground-truth", "consensus"] = "newest"


class ExportParams(Choice):
    """Export a Label Studio project by a recipe, and write the result back as a new project if a title is given."""

    project: Number
    recipe: str | Json | None = Field(None, description="a recipe's name or its document; none: originals only")
    formats: list[FormatKey] = Field([])
    name: NewName | None = None
    write_back: str | None = Field(None, min_length=3, max_length=50, description="the new project's title")
    as_predictions: bool = False
    sample: int | None = Field(None, gt=0)


class AugmentParams(Params):
    """Augment a dataset that lies in the data folder."""

    dataset: DatasetName
    recipe: str | Json
    formats: list[FormatKey] = Field([])
    name: NewName | None = None


class PreviewParams(Choice):
    """Draw a contact sheet."""

    project: Number | None = None
    dataset: DatasetName | None = None
    recipe: str | Json
    images: int = Field(4, ge=1, le=12)
    variants: int = Field(4, ge=1, le=12)
    worst: bool = False

    @model_validator(mode="after")
    def _one_source(self) -> "PreviewParams":
        if (self.project is None) == (self.dataset is None):
            msg = "give either project or dataset"
            raise ValueError(msg)
        return self


class ConvertParams(Params):
    """Convert a dataset to another format."""

    dataset: DatasetName
    to: FormatKey
    name: NewName


class ImportParams(Params):
    """Import a dataset into a project, or into a new one with a title."""

    dataset: DatasetName
    project: Number | None = None
    title: str | None = Field(None, min_length=3, max_length=50)

    @model_validator(mode="after")
    def _one_target(self) -> "ImportParams":
        if (self.project is None) == (self.title is None):
            msg = "give either project or title"
            raise ValueError(msg)
        return self


class VerifyParams(Params):
    """Read a dataset back and compare it with its manifest."""

    dataset: DatasetName


def recipe_of(given: str | Json | None, settings: Settings, default: str) -> Recipe:
    """Return the recipe of a name or a document; a path is not a name here.

    Raises:
        RecipeError: the document is invalid.
        UsageError: there is no recipe of that name, or it names a style that is not in the library.
    """
    from backend.flows.style.pinned import check_served

    if given is None:
        return plain_recipe(default)
    if isinstance(given, str):
        if "/" in given or "\\" in given or given.startswith("."):
            msg = f"{given!r} is not the name of a recipe"
            raise UsageError(msg, fix="give a name that `labelloom recipes` lists, or the recipe itself")
        return check_served(load_recipe(given, settings), settings)
    return check_served(parse_recipe(given), settings)


def build_result(report: Report) -> Json:
    """Return what a build tells as JSON."""
    return {
        "dataset": report.folder.name,
        "state": report.state,
        "counts": report.counts(),
        "ledger": report.ledger.to_json(),
        "losses": {key: dict(counts) for key, counts in report.losses.items()},
        "warnings": report.warnings,
        "skipped": [{"item": s.item, "reason": s.reason} for s in (*report.skipped, *report.gave_up)][:1000],
        "certificate": report.certificate,
    }


def _chosen(params: Choice) -> "Chosen":
    from backend.flows.chosen import Chosen
    from backend.formats.label_studio_tasks import Filter

    ids = None if params.tasks is None else tuple(sorted(set(params.tasks)))
    how = Filter(params.annotations, tuple(params.labels), params.since)
    return Chosen(params.view, ids, how, frozenset(params.exclude), params.filters)


def _export(params: ExportParams, tools: Tools) -> Json:
    from backend.flows.augment import Options
    from backend.flows.export import Target, export

    recipe = recipe_of(params.recipe, tools.settings, f"project-{params.project}")
    target = None
    if params.write_back is not None:
        target = Target(params.write_back, params.as_predictions, params.sample)
    options = Options(None, params.name, tuple(params.formats), pools=tools.pools)
    report = export(params.project, recipe, _chosen(params), options, target, (tools.settings, tools.progress))
    result = {**build_result(report.build), "tasks": report.counts, "summary": report.summary}
    result["warnings"] = [*report.warnings, *result["warnings"]]
    return result | ({"write_back": report.written.to_json()} if report.written else {})


def _augment(params: AugmentParams, tools: Tools) -> Json:
    from backend.flows.augment import Options, run_build
    from backend.formats.recognise import open_dataset

    dataset = open_dataset(dataset_path(params.dataset, tools.settings))
    recipe = recipe_of(params.recipe, tools.settings, dataset.name)
    options = Options(None, params.name, tuple(params.formats), pools=tools.pools)
    request = options.request(dataset, recipe, f"the dataset {dataset.name}", tools.settings)
    return build_result(run_build(request, tools.settings, tools.progress))


def _preview(params: PreviewParams, tools: Tools) -> Json:
    from backend.flows.preview import PreviewSize, open_source, preview_sheet

    settings = tools.settings
    recipe = recipe_of(params.recipe, settings, "preview")
    folder = None if params.dataset is None else dataset_path(params.dataset, settings)
    out = settings.sheets_dir / f"{tools.job}.jpg"
    out.parent.mkdir(parents=True, exist_ok=True)
    size = PreviewSize(params.images, params.variants, worst=params.worst)
    with open_source(folder, params.project, settings, tools.progress, _chosen(params)) as dataset:
        report = preview_sheet(dataset, recipe, out, size, (settings, tools.progress))
    skipped = [{"item": s.item, "reason": s.reason} for s in report.skipped]
    return {"sheet": out.name, "images": report.images, "skipped": skipped}


def _convert(params: ConvertParams, tools: Tools) -> Json:
    from backend.core.names import safe_stem
    from backend.flows.convert import convert

    settings = tools.settings
    target = settings.datasets_dir / safe_stem(params.name)
    report = convert(dataset_path(params.dataset, settings), target, params.to, tools.progress)
    skipped = [{"item": s.item, "reason": s.reason} for s in report.skipped]
    return {"dataset": target.name, "counts": report.counts, "losses": dict(report.losses), "skipped": skipped}


def _import(params: ImportParams, tools: Tools) -> Json:
    from backend.flows.import_tasks import import_into
    from backend.formats.recognise import open_dataset

    dataset = open_dataset(dataset_path(params.dataset, tools.settings))
    report = import_into(dataset, params.project, params.title, (tools.settings, tools.progress))
    skipped = [{"item": s.item, "reason": s.reason} for s in report.skipped]
    counts = {"created": report.created, "present": report.present}
    return {"project": report.project_id, "url": report.url, "counts": counts, "skipped": skipped}


def _verify(params: VerifyParams, tools: Tools) -> Json:
    from backend.flows.verify import verify_dataset

    return {"certificate": verify_dataset(dataset_path(params.dataset, tools.settings), tools.progress)}


def _export_key(params: ExportParams) -> str:
    return f"export:{params.project}:{digest([params.recipe, params.name])[:16]}"


_ALL: tuple[Kind[Any], ...] = (
    Kind("export", ExportParams, _export, _export_key),
    Kind("augment", AugmentParams, _augment, lambda p: f"augment:{digest(p.model_dump(mode='json'))[:24]}"),
    Kind("preview", PreviewParams, _preview, lambda _: None),
    Kind("convert", ConvertParams, _convert, lambda p: f"convert:{p.name}"),
    Kind("import", ImportParams, _import, lambda p: f"import:{p.dataset}:{p.project or p.title}"),
    Kind("verify", VerifyParams, _verify, lambda _: None),
    *DETECT_KINDS,
    *COLLECT_KINDS,
    *STYLE_KINDS,
)
KINDS: dict[str, Kind[Any]] = {kind.name: kind for kind in _ALL}
