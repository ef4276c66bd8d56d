"""The arguments of the commands about detectors: fit, predict, evaluate, models."""

from pathlib import Path
from typing import Annotated

import typer

from backend.commands import detect

CODES = (
    "Exit codes: 0 done; 1 not finished, or nothing to do; 2 arguments or settings invalid, nothing touched; "
    "3 finished, but some images or tasks were left out, each named with its reason; "
    "130 interrupted, run it again to resume."
)

app = typer.Typer()
models_app = typer.Typer(no_args_is_help=True, help="Models: list, promote, roll back, remove.")
app.add_typer(models_app, name="models")

Json = Annotated[bool, typer.Option("--json", help="Print one machine-readable object on stdout.")]
MaybeProject = Annotated[int | None, typer.Option("--project", "-p", min=1, help="Label Studio project id.")]
Model = Annotated[
    str | None,
    typer.Option("--model", "-m", help="A model's version, or for image files its folder; default: the one in use."),
]
Threads = Annotated[int, typer.Option("--threads", min=1, help="Threads to compute with.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]
Version = Annotated[str, typer.Argument(help="A model's version, as `labelloom models list` shows it.")]


@app.command(epilog=CODES)
def fit(  # noqa: PLR0913 - each is an option of its own
    dataset: Annotated[Path | None, typer.Argument(help="A dataset's folder; or use --project.")] = None,
    project: MaybeProject = None,
    detector: Annotated[
        str | None, typer.Option("--detector", "-d", help="fewshot, torchvision or similar; default: the project's.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The model's folder; default: our own.")] = None,
    threads: Threads = 1,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same model.")] = 0,
    fast: Annotated[bool, typer.Option("--fast", help="In half the time, a little worse.")] = False,
    device: Device = "auto",
    option: Annotated[
        list[str] | None, typer.Option("--option", help="The detector's own: NAME=VALUE, as vflip=0.5; repeatable.")
    ] = None,
    predict: Annotated[bool, typer.Option("--predict", help="Pre-label the project's tasks afterwards.")] = False,
    as_json: Json = False,
) -> None:
    """Train a detector on a project's annotations, or on a dataset; it is used from then on if it is better.

    Example: `labelloom fit --project 7 --predict`

    Example: `labelloom fit raccoons/ --out raccoon-model --fast`
    """
    how = {"detector": detector, "out": out, "threads": threads, "seed": seed, "fast": fast, "device": device}
    detect.fit(dataset, project, how | {"settings": option}, predict=predict, as_json=as_json)


@app.command(epilog=CODES)
def predict(
    images: Annotated[
        list[Path] | None, typer.Argument(help="Image files, or folders of them; or use --project.")
    ] = None,
    project: MaybeProject = None,
    model: Model = None,
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", min=0, max=1, help="Least score shown, of files; default: the model's."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Pre-label a project's tasks that nobody has annotated, or find boxes in image files.

    Example: `labelloom predict --project 7`

    Example: `labelloom predict --model fewshot-p7-v2 --json photo.jpg`
    """
    detect.predict(images or [], project, model, threshold, as_json=as_json)


@app.command(epilog=CODES)
def evaluate(
    model: Annotated[str, typer.Argument(help="A model's version or folder.")],
    dataset: Annotated[Path, typer.Argument(help="A dataset's folder.")],
    split: Annotated[str | None, typer.Option("--split", help="Only its train, val or test images.")] = None,
    as_json: Json = False,
) -> None:
    """Measure a model on a dataset: AP and AP50, also per label, with 95 % intervals.

    Example: `labelloom evaluate fewshot-p7-v2 raccoons/ --split test --json`
    """
    detect.evaluate(model, dataset, split, as_json=as_json)


@models_app.command("list")
def models_list(project: MaybeProject = None, as_json: Json = False) -> None:
    """List the models, newest first; * marks those in use.

    Example: `labelloom models list --project 7`
    """
    detect.models_list(project, as_json=as_json)


@models_app.command("add", epilog=CODES)
def models_add(
    detector: Annotated[str, typer.Argument(help="onnx (an exported file) or torchvision (by name, or its weights).")],
    project: Annotated[int, typer.Option("--project", "-p", min=1, help="Where it shall predict.")],
    option: Annotated[
        list[str] | None, typer.Option("--option", help="NAME=VALUE, as path=yolo.onnx; may be repeated.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Let a model predict in a project that was not trained here.

    Example: `labelloom models add onnx --project 7 --option path=best.onnx --option labels=names.txt`

    Example: `labelloom models add torchvision --project 7 --option model=ssdlite320_mobilenet_v3_large`
    """
    detect.models_add(detector, project, option or [], as_json=as_json)


@models_app.command("outliers")
def models_outliers(
    version: Version,
    show: Annotated[int, typer.Option("--show", "-n", min=1, help="How many to list.")] = 20,
    write: Annotated[
        bool, typer.Option("--write", help="Give each task its score as a prediction, to sort by in Label Studio.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List labelled images that look unlike the others of their tag, the least alike first; for models of `similar`.

    Example: `labelloom models outliers similar-p7-v1 --write`
    """
    detect.models_outliers(version, show, write=write, as_json=as_json)


@models_app.command("promote")
def models_promote(version: Version, project: MaybeProject = None, as_json: Json = False) -> None:
    """Let a model predict in a project (default: the one it was trained for) from now on.

    Example: `labelloom models promote fewshot-p7-v2`
    """
    detect.models_promote(version, project, as_json=as_json)


@models_app.command("rollback")
def models_rollback(
    project: Annotated[int, typer.Option("--project", "-p", min=1, help="Label Studio project id.")],
    as_json: Json = False,
) -> None:
    """Go back to the model that was in use before; again, one further back.

    Example: `labelloom models rollback --project 7`
    """
    detect.models_rollback(project, as_json=as_json)


@models_app.command("rm")
def models_rm(
    version: Version,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Delete a model that is not in use, and its files.

    Example: `labelloom models rm fewshot-p7-v1`
    """
    detect.models_rm(version, yes=yes, as_json=as_json)
