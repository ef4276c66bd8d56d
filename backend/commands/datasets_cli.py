"""The arguments of the commands that move and compare datasets: push, pull, diff."""

from pathlib import Path
from typing import Annotated

import typer

from backend.commands import datasets

app = typer.Typer()

Json = Annotated[bool, typer.Option("--json", help="Print one machine-readable object on stdout.")]
Url = Annotated[
    str | None,
    typer.Argument(metavar="URL", help="A folder, s3://bucket/prefix, ...; default: LABELLOOM_DATASETS_STORAGE."),
]


@app.command()
def push(
    dataset: Annotated[str, typer.Argument(help="A dataset's name or folder.")],
    url: Url = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace another dataset of that name there.")] = False,
    as_json: Json = False,
) -> None:
    """Send a dataset to a shared folder or a bucket; run again, it sends what is missing.

    Example: `labelloom datasets push street-default-v2 s3://bucket/datasets`
    """
    datasets.push(dataset, url, overwrite=overwrite, as_json=as_json)


@app.command()
def pull(
    name: Annotated[str, typer.Argument(help="The dataset's name there.")],
    url: Url = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder that gets the dataset's folder.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace another dataset of that name here.")] = False,
    as_json: Json = False,
) -> None:
    """Fetch a dataset and compare it with its manifest; run again, it fetches what is missing.

    Example: `labelloom datasets pull street-default-v2 s3://bucket/datasets --out datasets/`
    """
    datasets.pull(name, url, out, overwrite=overwrite, as_json=as_json)


@app.command()
def diff(
    a: Annotated[str, typer.Argument(metavar="A", help="The one dataset: its name or folder.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The other.")],
    as_json: Json = False,
) -> None:
    """Say what changed from one dataset to another: images, labels, splits, recipe, libraries.

    Example: `labelloom datasets diff street-default-v1 street-default-v2`
    """
    datasets.diff(a, b, as_json=as_json)
