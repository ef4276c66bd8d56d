"""Commands of style transfer: stylize, style list, add, remove, sweep, matrix."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.commands.terminal import Outcome, TerminalProgress, run
from backend.core.errors import UsageError

if TYPE_CHECKING:
    from backend.core.model import Skipped
    from backend.settings import Settings

Json = dict[str, Any]


def stylize(contents: list[Path], look: Json, how: Json, write_back: str | None, *, as_json: bool) -> None:
    """Run `labelloom stylize`; `look` holds the fields of `Look`, `how` those of `Options` and the image's."""

    def work(settings: "Settings", progress: TerminalProgress) -> Outcome:
        from backend.commands.results import build_outcome
        from backend.flows.augment import Options
        from backend.flows.style.stylize import Look
        from backend.flows.style.stylize import stylize as flow

        image = {"format": how.pop("image"), "quality": how.pop("quality")}
        tools = settings, progress
        report = flow(contents, Look(**look | {"alpha": alpha_of(look["alpha"])}), Options(**how), image, tools)
        outcome = build_outcome(report)
        if write_back is not None and report.state != "planned":
            _write_back(report.folder, write_back, tools, outcome)
        return outcome

    run("stylize", work, as_json=as_json)


def _write_back(folder: Path, title: str, tools: "tuple[Settings, TerminalProgress]", outcome: Outcome) -> None:
    from backend.flows.import_tasks import import_into
    from backend.formats.recognise import open_dataset

    made = import_into(open_dataset(folder), None, title, tools)
    outcome.text.append(f"project     {made.url} ({made.created} tasks made, {made.present} were there)")
    outcome.skipped += [(one.item, one.reason) for one in made.skipped]
    outcome.more["project"] = {"id": made.project_id, "url": made.url, "created": made.created}
    outcome.exit_code = outcome.exit_code or (3 if made.skipped else 0)


def alpha_of(text: str) -> float | tuple[float, float]:
    """Return a strength, or a range of them.

    Raises:
        UsageError: it is neither.
    """
    low, dash, high = text.partition("-")
    try:
        return (float(low), float(high)) if dash and low else float(text)
    except ValueError as error:
        msg = f"--alpha is {text[:40]!r}"
        raise UsageError(msg, fix="give a number from 0 to 1, as 0.6, or a range, as 0.3-0.8") from error


def sheet(kind: str, contents: list[Path], look: Json, out: Path, *, as_json: bool) -> None:
    """Run `labelloom style sweep` or `style matrix`."""

    def work(settings: "Settings", progress: TerminalProgress) -> Outcome:
        from backend.flows.style.sheets import matrix, sweep
        from backend.flows.style.stylize import Look

        chosen = Look(**look)
        tools = settings, progress
        skipped = sweep(contents[0], chosen, out, tools) if kind == "sweep" else matrix(contents, chosen, out, tools)
        return Outcome([f"sheet {out}"], str(out), skipped=_told(skipped), exit_code=3 if skipped else 0)

    run(f"style {kind}", work, as_json=as_json)


def styles_list(*, as_json: bool) -> None:
    """Run `labelloom style list`."""

    def work(settings: "Settings", _progress: TerminalProgress) -> Outcome:
        from backend.flows.style.library import made_styles, own_styles
        from backend.style import ENGINES

        styles = [*own_styles(settings), *made_styles(settings)]
        text = [f"{name:<24} {path}" for name, path in styles]
        engines = [f"{kind.name:<24} {kind.summary}" for kind in ENGINES.values()]
        more = {
            "styles": [{"name": name, "path": str(path)} for name, path in styles],
            "engines": [{"name": kind.name, "summary": kind.summary} for kind in ENGINES.values()],
        }
        return Outcome(["styles", *text, "", "engines", *engines], more=more)

    run("style list", work, as_json=as_json)


def style_add(files: list[Path], name: str | None, *, as_json: bool) -> None:
    """Run `labelloom style add`."""

    def work(settings: "Settings", _progress: TerminalProgress) -> Outcome:
        from backend.flows.style.library import add_style

        if name is not None and len(files) != 1:
            msg = f"--name names one style, and {len(files)} files are given"
            raise UsageError(msg, fix="leave --name out, or give one file")
        added, skipped = [], []
        for file in files:
            try:
                added.append(add_style(file, name, settings))
            except UsageError as error:
                if len(files) == 1:
                    raise
                skipped.append((str(file), str(error)))
        text = [f"added {style.name}" for style in added]
        more = {"styles": [{"name": style.name, "sha256": style.sha256} for style in added]}
        return Outcome(text, counts={"added": len(added)}, skipped=skipped, exit_code=3 if skipped else 0, more=more)

    run("style add", work, as_json=as_json)


def style_remove(name: str, *, as_json: bool) -> None:
    """Run `labelloom style remove`."""

    def work(settings: "Settings", _progress: TerminalProgress) -> Outcome:
        from backend.flows.style.library import remove_style

        return Outcome([f"removed {remove_style(name, settings)}"])

    run("style remove", work, as_json=as_json)


def _told(skipped: "list[Skipped]") -> list[tuple[str, str]]:
    return [(one.item, one.reason) for one in skipped]
