"""Commands that look after what was made: recipes, datasets, doctor."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from backend.commands.terminal import Outcome, TerminalProgress, run
from backend.core.errors import UsageError

if TYPE_CHECKING:
    from backend.settings import Settings


def recipes(*, as_json: bool) -> None:
    """Run `labelloom recipes`."""

    def work(settings: "Settings", _progress: TerminalProgress) -> Outcome:
        from backend.flows.recipes import list_recipes

        found = list_recipes(settings)
        width = max((len(r.name) for r in found), default=0)
        more = {"recipes": [{"name": r.name, "path": str(r.path), "about": r.about} for r in found]}
        return Outcome([f"{r.name:{width}}  {r.about}" for r in found], more=more)

    run("recipes", work, as_json=as_json)


def recipe_validate(file: str, *, as_json: bool) -> None:
    """Run `labelloom recipe validate`."""

    def work(settings: "Settings", _progress: TerminalProgress) -> Outcome:
        from backend.flows.recipes import check_with_styles, load_recipe

        recipe = load_recipe(file, settings)
        check_with_styles(recipe, settings)
        return Outcome([f"{file}: ok, {len(recipe.steps)} steps"], more={"digest": recipe.digest})

    run("recipe validate", work, as_json=as_json)


def recipe_export(file: str, to: str, out: Path | None) -> None:
    """Run `labelloom recipe export`."""

    def work(settings: "Settings", _progress: TerminalProgress) -> Outcome:
        from backend.augment.export_python import to_python
        from backend.flows.outputs import write_output
        from backend.flows.recipes import check_recipe, load_recipe

        if to != "python":
            msg = f"cannot export a recipe to {to!r}"
            raise UsageError(msg, fix="use --to python")
        recipe = load_recipe(file, settings)
        check_recipe(recipe)
        text = to_python(recipe)
        if out is None:
            return Outcome(text.rstrip("\n").split("\n"))
        write_output(out, text.encode())
        return Outcome([f"wrote {out}"], str(out))

    run("recipe export", work)


def recipe_steps(name: str | None, *, as_json: bool) -> None:
    """Run `labelloom recipe steps`."""

    def work(_settings: "Settings", _progress: TerminalProgress) -> Outcome:
        from backend.flows.steps import describe_steps

        text, entries = describe_steps(name)
        return Outcome(text, more={"steps": entries})

    run("recipe steps", work, as_json=as_json)


def datasets_list(*, as_json: bool) -> None:
    """Run `labelloom datasets list`."""

    def work(settings: "Settings", _progress: TerminalProgress) -> Outcome:
        from backend.store.datasets import list_datasets
        from backend.store.tables import open_database

        rows = list_datasets(open_database(settings.database))
        text = [
            f"{row.created:%Y-%m-%d %H:%M}  {row.images:7}  {row.path}"
            + ("" if row.path.exists() else "  (gone)")
            + (f"  -> project {row.project}" if row.project else "")
            for row in rows
        ]
        entries = [
            {"name": r.name, "path": str(r.path), "source": r.source, "images": r.images, "project": r.project}
            for r in rows
        ]
        return Outcome(text or ["no datasets yet"], more={"datasets": entries})

    run("datasets list", work, as_json=as_json)


def datasets_rm(dataset: str | None, *, gone: bool, with_project: bool, yes: bool, as_json: bool) -> None:
    """Run `labelloom datasets rm`."""

    def work(settings: "Settings", _progress: TerminalProgress) -> Outcome:
        from backend.flows.datasets import find_dataset, forget_gone
        from backend.store.datasets import forget_dataset
        from backend.store.tables import open_database

        if (dataset is None) != gone:
            msg = "give a dataset's name or folder, or --gone"
            raise UsageError(msg, fix="`labelloom datasets list` shows them")
        engine = open_database(settings.database)
        if dataset is None:
            rows = forget_gone(engine)
            return Outcome([f"forgot {row.path}" for row in rows] or ["every dataset is still there"])
        row = find_dataset(engine, dataset)
        what = f"{row.path}" + (f" and Label Studio project {row.project}" if with_project and row.project else "")
        if not yes and not typer.confirm(f"Delete {what}?", err=True):
            return Outcome(["nothing deleted"], exit_code=1)
        if with_project and row.project:
            from backend.flows.label_studio_connection import connect

            connect(settings, row.label_studio).delete_project(row.project)
        if row.path.exists():
            shutil.rmtree(row.path)
        forget_dataset(engine, row.path)
        return Outcome([f"deleted {what}"], str(row.path))

    run("datasets rm", work, as_json=as_json)


def doctor(*, sources: bool, as_json: bool) -> None:
    """Run `labelloom doctor`; with `sources`, of image sources only, where one that can be used is enough."""

    def work(settings: "Settings", _progress: TerminalProgress) -> Outcome:
        from backend.flows.collect.access import examine_sources
        from backend.flows.doctor import examine

        checks = examine_sources(settings) if sources else examine(settings)
        enough, bad = (any, "no  ") if sources else (all, "FAIL")
        text = [
            f"{'ok  ' if c.ok else bad}  {c.name}: {c.detail}" + ("" if c.ok or not c.fix else f"\n      fix: {c.fix}")
            for c in checks
        ]
        entries = [{"name": c.name, "ok": c.ok, "detail": c.detail, "fix": c.fix} for c in checks]
        return Outcome(text, exit_code=0 if enough(c.ok for c in checks) else 1, more={"checks": entries})

    run("doctor", work, as_json=as_json)
