"""The jobs of detectors: train one, have it look at a project's tasks."""

from typing import Any, Literal

from pydantic import Field, model_validator

from backend.flows.job_base import DatasetName, Json, Kind, Number, Params, Tools, dataset_path

Learner = Literal["fewshot", "torchvision", "similar"]


class FitParams(Params):
    """Train a project's detector, or one from a dataset in the data folder; it predicts if it is better."""

    project: Number | None = None
    dataset: DatasetName | None = None
    detector: Learner | None = Field(None, description="default: the project's choice, or fewshot")
    options: Json | None = Field(None, description="the detector's own; default: as the project's detector has them")
    fast: bool = Field(False, description="in half the time, a little worse")
    seed: int = Field(0, ge=0, le=2**31 - 1)
    threads: int = Field(1, ge=1, le=64)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    predict: bool = Field(False, description="pre-label the project afterwards, with the model that is in use then")

    @model_validator(mode="after")
    def _one_source(self) -> "FitParams":
        if (self.project is None) == (self.dataset is None):
            msg = "give either project or dataset"
            raise ValueError(msg)
        if self.predict and self.project is None:
            msg = "predict needs a project"
            raise ValueError(msg)
        return self


class AddModelParams(Params):
    """Let a model predict in a project that was not trained here: an exported file, or torchvision's by name."""

    project: Number
    detector: Literal["onnx", "torchvision"]
    options: Json = Field({}, description="the detector's own; files are named relative to the data folder")


class PredictParams(Params):
    """Pre-label a project's tasks that nobody has annotated; annotated ones are left alone."""

    project: Number
    model: str | None = Field(None, max_length=100, description="a model's version; default: the one in use")


def _fit(params: FitParams, tools: Tools) -> Json:
    from backend.flows.fit import FitOptions, fit
    from backend.flows.fit_source import dataset_source, project_source

    options = FitOptions(
        detector=params.detector,
        settings=params.options,
        seed=params.seed,
        fast=params.fast,
        threads=params.threads,
        device=params.device,
        run=tools.job,
        who=tools.who,
    )
    work = tools.settings, tools.progress
    if params.project is None:
        source = dataset_source(dataset_path(str(params.dataset), tools.settings))
        return fit(source, options, work, tell=tools.tell).to_json()
    with project_source(params.project, tools.settings, tools.progress) as source:
        result = fit(source, options, work, tell=tools.tell).to_json()
    if params.predict:
        result["predict"] = _predict(PredictParams(project=params.project), tools)
    return result


def _add_model(params: AddModelParams, tools: Tools) -> Json:
    from backend.flows.models_add import add_model, inside

    options, work = inside(params.options, tools.settings), (tools.settings, tools.progress)
    row = add_model(params.detector, options, params.project, work, who=tools.who, run=tools.job)
    return {"model": row.version, "detector": row.detector, "project": params.project}


def _predict(params: PredictParams, tools: Tools) -> Json:
    from backend.flows.prelabel import prelabel

    report = prelabel(params.project, params.model, (tools.settings, tools.progress), tell=tools.tell)
    return report.to_json()


DETECT_KINDS: tuple[Kind[Any], ...] = (
    Kind("fit", FitParams, _fit, lambda p: f"fit:{p.project or p.dataset}"),
    Kind("add-model", AddModelParams, _add_model, lambda p: f"fit:{p.project}"),
    Kind("predict", PredictParams, _predict, lambda p: f"predict:{p.project}"),
)
