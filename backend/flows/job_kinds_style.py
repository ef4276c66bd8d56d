"""The jobs of style transfer: paint a dataset's pictures, draw sheets, train an engine."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from backend.core.codec import digest
from backend.flows.job_base import DatasetName, FormatKey, Json, Kind, NewName, Params, Tools, dataset_path
from backend.settings import Settings

Share = Annotated[float, Field(ge=0, le=1)]
StyleName = Annotated[str, Field(min_length=1, max_length=120)]
Styles = Annotated[list[StyleName], Field(min_length=1, max_length=10_000)]
EngineName = Literal["compact", "vgg", "magenta"]


class LookParams(Params):
    """How to paint; styles are names of the library."""

    styles: Styles
    engine: EngineName = "compact"
    alpha: Share = Field(0.6, description="strength")
    alpha_to: Share | None = Field(None, description="with it, each strength is drawn from alpha to this")
    alpha_objects: Share | None = Field(None, description="another strength inside the labels' regions")
    feather: float = Field(8.0, ge=0, le=200, description="pixels over which the two go into one another")
    detail: Share = Field(1.0, description="0 paints broadly, 1 keeps fine outlines")
    keep_color: bool = False
    seed: int = Field(0, ge=0, le=2**31 - 1)


class StylizeParams(LookParams):
    """Paint every picture of a dataset or a folder of pictures in the data folder; labels stay true."""

    dataset: DatasetName
    variants: int = Field(1, ge=1, le=1000)
    formats: list[FormatKey] = Field([])
    name: NewName | None = None
    write_back: str | None = Field(None, min_length=3, max_length=50, description="a new project's title")


class StyleSheetParams(LookParams):
    """Draw a sheet: one picture of a dataset at strengths from 0 to 1, or several pictures in all styles."""

    dataset: DatasetName
    kind: Literal["sweep", "matrix"] = "sweep"


class TrainStyleParams(Params):
    """Train the compact engine on folders of pictures in the data folder."""

    contents: list[DatasetName] = Field(min_length=1, max_length=100)
    styles: list[DatasetName] = Field(min_length=1, max_length=100)
    name: NewName
    iterations: int = Field(9000, ge=1, le=1_000_000)
    seed: int = Field(0, ge=0, le=2**31 - 1)
    size: int = Field(128, ge=64, le=512, multiple_of=16)
    batch: int = Field(4, ge=2, le=256)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = Field(1, ge=1, le=64)


def check_styles(params: Params, settings: Settings) -> None:
    """Refuse styles that are not in the library, before a job is queued.

    Raises:
        UsageError: one is not.
    """
    if isinstance(params, LookParams):
        from backend.flows.style.pinned import check_library

        check_library(params.styles, settings)


def _look(params: LookParams, **more: Any) -> Any:
    from backend.flows.style.stylize import Look

    low, high = sorted((params.alpha, params.alpha if params.alpha_to is None else params.alpha_to))
    fields = ("engine", "alpha_objects", "feather", "detail", "keep_color", "seed")
    chosen = {name: getattr(params, name) for name in fields}
    return Look(tuple(params.styles), alpha=low if low == high else (low, high), **chosen, **more)


def _stylize(params: StylizeParams, tools: Tools) -> Json:
    from backend.flows.augment import Options
    from backend.flows.import_tasks import import_into
    from backend.flows.job_kinds import build_result
    from backend.flows.style.stylize import stylize
    from backend.formats.recognise import open_dataset

    check_styles(params, tools.settings)
    content = dataset_path(params.dataset, tools.settings)
    options = Options(None, params.name or f"{content.name}-stylized", tuple(params.formats), pools=tools.pools)
    work = tools.settings, tools.progress
    image = {"format": "jpeg", "quality": 95}
    report = stylize([content], _look(params, variants=params.variants), options, image, work)
    result = build_result(report)
    if params.write_back:
        made = import_into(open_dataset(report.folder), None, params.write_back, work)
        result["project"] = {"id": made.project_id, "url": made.url, "created": made.created}
    return result


def _sheet(params: StyleSheetParams, tools: Tools) -> Json:
    from backend.core.errors import UsageError
    from backend.core.model import Sample
    from backend.flows.style.sheets import matrix, sweep
    from backend.flows.style.stylize import gathered

    check_styles(params, tools.settings)
    content = dataset_path(params.dataset, tools.settings)
    out = tools.settings.sheets_dir / f"{tools.job}.jpg"
    out.parent.mkdir(parents=True, exist_ok=True)
    work = tools.settings, tools.progress
    if params.kind == "matrix":
        skipped = matrix([content], _look(params), out, work)
    else:
        first = next((one for one in gathered([content]).samples if isinstance(one, Sample)), None)
        if first is None:
            msg = f"{params.dataset} holds no picture"
            raise UsageError(msg)
        skipped = sweep(Path(first.path), _look(params), out, work)
    return {"sheet": out.name, "skipped": [{"item": one.item, "reason": one.reason} for one in skipped]}


def _train(params: TrainStyleParams, tools: Tools) -> Json:
    from backend.flows.style.train import Ask, train_style

    contents, styles = (
        tuple(dataset_path(name, tools.settings) for name in names) for names in (params.contents, params.styles)
    )
    config = {name: getattr(params, name) for name in ("iterations", "seed", "size", "batch")}
    out = tools.settings.style_engines_dir / params.name
    ask = Ask(contents, styles, out, config, device=params.device, threads=params.threads)
    done = train_style(ask, (tools.settings, tools.progress), tell=tools.tell)
    skipped = [{"item": one.item, "reason": one.reason} for one in done.skipped]
    return {"engine": params.name, "card": done.card, "skipped": skipped}


STYLE_KINDS: tuple[Kind[Any], ...] = (
    Kind("stylize", StylizeParams, _stylize, lambda p: f"stylize:{digest(p.model_dump(mode='json'))[:16]}"),
    Kind("style-sheet", StyleSheetParams, _sheet, lambda _p: None),
    Kind("train-style", TrainStyleParams, _train, lambda p: f"train-style:{p.name}"),
)
