"""Commands about making and measuring style engines: train-style, style check."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.commands.terminal import Outcome, TerminalProgress, run

if TYPE_CHECKING:
    from backend.flows.style.check import Checked
    from backend.settings import Settings

Json = dict[str, Any]


def train_style(folders: tuple[list[Path], list[Path]], config: Json, how: Json, *, as_json: bool) -> None:
    """Run `labelloom train-style`; `config` holds the fields of `Config`, `how` those of `Ask`."""

    def work(settings: "Settings", progress: TerminalProgress) -> Outcome:
        from backend.flows.style.train import Ask
        from backend.flows.style.train import train_style as flow

        contents, styles = (tuple(paths) for paths in folders)
        done = flow(Ask(contents, styles, config=config, **how), (settings, progress), tell=progress.tell)
        gates = done.card["gates"]
        lines = [
            f"engine      {done.folder} (version {done.card['version']})",
            *_gate_lines(gates),
            f"use it      labelloom stylize PHOTOS --style PAINTING --out DIR --engine-folder {done.folder}",
        ]
        skipped = [(one.item, one.reason) for one in done.skipped]
        return Outcome(lines, str(done.folder), {}, skipped, exit_code=3 if skipped else 0, more={"card": done.card})

    run("train-style", work, as_json=as_json)


def check(engine: str, options: Json, folders: tuple[list[Path], list[Path]], pairs: int, *, as_json: bool) -> None:
    """Run `labelloom style check`."""

    def work(settings: "Settings", progress: TerminalProgress) -> Outcome:
        from backend.flows.style.check import check_engine
        from backend.flows.style.engines import open_engine
        from backend.flows.style.usual import usual_contents, usual_styles

        contents = usual_contents(folders[0])
        styles = usual_styles(folders[1], settings)
        done = check_engine(open_engine(engine, options, settings), contents, styles, progress, pairs=pairs)
        code = 1 if not done.passed else 3 if done.skipped else 0
        skipped = [(one.item, one.reason) for one in done.skipped]
        lines = [
            f"engine      {done.engine} (version {done.version}), {done.pairs} pairs",
            *_gate_lines(done.to_json()),
        ]
        return Outcome(lines, None, {"pairs": done.pairs}, skipped, list(done.warnings), code, _more(done))

    run("style check", work, as_json=as_json)


def _more(done: "Checked") -> Json:
    return {name: value for name, value in done.to_json().items() if name != "pairs"}


def _gate_lines(gates: Json) -> list[str]:
    """Return one line per gate, and how far colours alone would have come."""
    lines = [
        f"{'passed' if gate['passed'] else 'FAILED':<11} {gate['name']:<13} {gate['value']:8.3f} "
        f"({'at least' if gate['least'] else 'at most'} {gate['bound']:g}): {gate['meaning']}"
        for gate in gates["gates"]
    ]
    return [*lines, f"{'':<11} matching colours alone leaves R = {gates['colours_alone']:.2f} on these pairs"]
