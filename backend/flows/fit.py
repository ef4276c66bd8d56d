"""Training as a verb: labelled images become a model version, judged on images that no version ever trained on.

The steps are durable: what was gathered and the trainer's checkpoints lie in `<version>.partial/` until the model is
published by one rename, so a run that was killed goes on, and one that is cancelled changes nothing that predicts.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from backend.core.errors import UsageError, shown
from backend.core.progress import Progress
from backend.detect import DETECTORS
from backend.detect.base import Training
from backend.detect.model_dir import CARD, CURVE, MODEL_JSON, ModelInfo, check_files, publish, read_model, write_model
from backend.flows import models
from backend.flows.detector_options import check_options, own_options
from backend.flows.fit_card import card
from backend.flows.fit_data import Gathered, check_enough, gather, remember
from backend.flows.fit_events import Live, Tell
from backend.flows.fit_judge import Rival, judge
from backend.flows.fit_source import Source, slug
from backend.flows.fit_state import State, highest, locked, note_highest, room
from backend.imaging.files import write_atomic
from backend.settings import Settings
from backend.store import models as table
from backend.store.tables import open_database

Json = dict[str, Any]
Trainer = Callable[[str, Training, Path, Callable[[Json], None]], ModelInfo]

DATA = "data.jsonl"  # which images, by sha256, were trained on, and which were kept aside


@dataclass(frozen=True, slots=True)
class FitOptions:
    """How to train. detector, settings: None is the project's choice; out: the model's folder, None for our own.

    run: what a repeat of the same work is known by (a job's id); one that was killed then goes on with the very images
    that it began with.
    """

    detector: str | None = None
    settings: Json | None = None
    out: Path | None = None
    seed: int = 0
    fast: bool = False
    threads: int = 1
    device: str = "auto"
    run: str | None = None
    who: str = "somebody"


@dataclass(frozen=True, slots=True)
class FitReport:
    """What came of it. promoted: it predicts in its project now; note: why, or why not."""

    version: str
    folder: Path
    detector: str
    metrics: Json
    data: Json
    promoted: bool
    note: str

    @property
    def skipped(self) -> tuple[tuple[str, str], ...]:
        """Images that could not be used, and why."""
        return tuple((item, reason) for item, reason in self.data.get("skipped", ()))

    def to_json(self) -> Json:
        """Return it as jobs and `--json` show it."""
        return {
            "model": self.version,
            "folder": str(self.folder),
            "detector": self.detector,
            "promoted": self.promoted,
            "note": self.note,
            "metrics": self.metrics,
            "data": {name: self.data.get(name) for name in ("images", "boxes", "labels", "tags")},
            "skipped": [{"item": item, "reason": reason} for item, reason in self.skipped],
            "warnings": list(self.data.get("warnings", ())),
        }


@dataclass(frozen=True, slots=True)
class _Work:
    """What the steps share. kind, chosen: the detector and its options."""

    source: Source
    options: FitOptions
    kind: str
    chosen: Json
    settings: Settings
    engine: sa.Engine
    progress: Progress
    tell: Tell

    @property
    def prefix(self) -> str:
        """What the names of all versions begin with."""
        return f"{self.kind}-{self.source.slug}"


def fit(
    source: Source,
    options: FitOptions,
    tools: tuple[Settings, Progress],
    *,
    tell: Tell = lambda _text: None,
    trainer: Trainer | None = None,
) -> FitReport:
    """Train a detector, judge it, publish it, and let it predict if it is better than the one that does.

    Raises:
        UsageError: there is no such detector, or it does not learn; there are no labels; the folder exists.
        LabelLoomError: too little to learn from, training failed, or the model cannot be written.
        Held: another process trains the same.
        Cancelled: from the progress; a repeat goes on.
    """
    settings, progress = tools
    engine = open_database(settings.database)
    kind, chosen = _detector(engine, source, options)
    work = _Work(source, options, kind, chosen, settings, engine, progress, tell)
    with room(), locked(settings.models_dir, work.prefix):
        folder = _finished(work) or _train(work, trainer or _in_child)
        return _enter(work, folder)


def _in_child(kind: str, training: Training, folder: Path, tick: Callable[[Json], None]) -> ModelInfo:
    from backend.detect.training import run_training

    return run_training(kind, training, folder, tick)


def _detector(engine: sa.Engine, source: Source, options: FitOptions) -> tuple[str, Json]:
    chosen, given = table.detector_of(engine, source.project) if source.project is not None else ("fewshot", {})
    kind = options.detector or chosen
    able = [name for name, one in DETECTORS.items() if one.trains]
    if kind not in able:
        known = f"does not learn: {DETECTORS[kind].summary}" if kind in DETECTORS else "does not exist"
        msg = f"the detector {shown(kind)} {known}"
        raise UsageError(msg, fix=f"choose one that learns: {', '.join(able)}")
    named = options.settings if options.settings is not None else given if kind == chosen else {}
    check_options(kind, named)
    return kind, own_options(named)


def _finished(work: _Work) -> Path | None:
    """Return the model that this very run has published already: it died right after that."""
    if work.options.run is None:
        return None
    for number in sorted(models.versions_of(work.settings, work.engine, work.prefix), reverse=True):
        folder = work.settings.models_dir / f"{work.prefix}-v{number}"
        if folder.is_dir() and read_model(folder).data.get("run") == work.options.run:
            return folder
    return None


def _train(work: _Work, trainer: Trainer) -> Path:
    """Gather, train, judge and publish; return the model's folder."""
    target, options = _target(work), work.options
    state = State(target, {"kind": work.kind, "chosen": work.chosen, "seed": options.seed, "fast": options.fast})
    gathered = state.begun(options.run)
    if gathered is None:
        gathered = _gather(work)
        state.begin(options.run, gathered)
    training = Training(
        labels=gathered.labels if DETECTORS[work.kind].learns == "boxes" else gathered.tags,
        train=gathered.train,
        holdout=gathered.holdout,
        seed=options.seed,
        fast=options.fast,
        threads=options.threads,
        device=options.device,
        options=work.chosen,
    )
    info = _trained(state.folder)  # a run that died while it was judged does not train again
    if info is None:
        info = trainer(work.kind, training, state.folder, Live(work.progress, work.tell, state.folder / CURVE))
    info = write_model(state.folder, _described(work, target, info, gathered))
    metrics, promote, note = judge(state.folder, info, gathered.holdout, _rival(work), work.progress)
    data = {**info.data, "promoted": promote, "note": note}
    info = info.model_copy(update={"metrics": {**info.metrics, **metrics}, "data": data})
    _beside(state.folder, info, gathered)
    write_model(state.folder, info)
    publish(state.folder, target)
    if options.out is None:
        note_highest(work.settings.models_dir, work.prefix, target.name)
    state.end()
    return target


def _trained(folder: Path) -> ModelInfo | None:
    from backend.detect.training import WORK

    if (folder / WORK).exists() or not (folder / MODEL_JSON).is_file():
        return None
    try:
        return check_files(folder)
    except UsageError:
        return None


def _target(work: _Work) -> Path:
    if work.options.out is None:
        there = max(models.versions_of(work.settings, work.engine, work.prefix), default=0)
        return (
            work.settings.models_dir
            / f"{work.prefix}-v{max(there, highest(work.settings.models_dir, work.prefix)) + 1}"
        )
    out = work.options.out.absolute()
    if out.exists() or table.get_model(work.engine, slug(out.name)) is not None:
        what = out if out.exists() else f"a model {slug(out.name)}"
        msg = f"{what} exists already"
        raise UsageError(msg, fix="models are never overwritten; give another --out")
    return out


def _gather(work: _Work) -> Gathered:
    source = work.source
    gathered = gather(source.dataset, source.key, work.engine, work.progress, source.total)
    check_enough(gathered, DETECTORS[work.kind].learns)
    if source.key:
        remember(gathered, source.key, work.engine)
    return gathered


def _described(work: _Work, target: Path, info: ModelInfo, gathered: Gathered) -> ModelInfo:
    """Return a trained model's description with its name, its parent and its data."""
    options, project = work.options, work.source.project
    parent = table.current_model(work.engine, project) if project is not None else None
    data = {
        "source": work.source.title,
        "project": project,
        **gathered.facts,
        "run": options.run,
        "skipped": [list(pair) for pair in gathered.skipped[:1000]],
        "warnings": [*work.source.warnings, *gathered.warnings],
    }
    change = {
        "detector": work.kind,
        "version": slug(target.name),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "parent": parent.version if parent else None,
        "options": {**work.chosen, **info.options, "seed": options.seed, "fast": options.fast},
        "data": data,
    }
    return info.model_copy(update=change)


def _rival(work: _Work) -> Rival:
    """Return what a new model has to be better than."""
    if work.source.project is None:
        return Rival(None, "a dataset has no project to predict in; promote it into one with --project")
    row = table.current_model(work.engine, work.source.project)
    return Rival(row.folder if row else None)


def _beside(folder: Path, info: ModelInfo, gathered: Gathered) -> None:
    """Write what lies beside the weights: which images, and the card."""
    lines = [
        json.dumps({"sha256": one.sha256, "part": part, "boxes": len(one.boxes)}) + "\n"
        for part, examples in (("holdout", gathered.holdout), ("train", gathered.train))
        for one in sorted(examples, key=lambda one: one.sha256)
    ]
    write_atomic(folder / DATA, "".join(lines).encode())
    write_atomic(folder / CARD, card(info).encode())


def _enter(work: _Work, folder: Path) -> FitReport:
    """Enter a published model, and let it predict if it was found better; a repeat changes nothing."""
    info, project = check_files(folder), work.source.project
    promoted, note = bool(info.data["promoted"]), str(info.data["note"])
    created = datetime.fromisoformat(info.created)
    row = table.ModelRow(info.version, project, info.detector, folder, created, info.metrics, note)
    table.add_model(work.engine, row)
    known = {one.version for one in table.history(work.engine, project)} if project is not None else set()
    if promoted and project is not None and info.version not in known:
        table.promote(work.engine, project, info.version, who=work.options.who, why=note)
    work.tell(f"{info.version} is {'promoted' if promoted else 'not promoted'}: {note}")
    return FitReport(info.version, folder, info.detector, info.metrics, info.data, promoted, note)
