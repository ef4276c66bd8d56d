"""The arguments of the command that lists who made the images: attribution."""

from pathlib import Path
from typing import Annotated

import typer

from backend.commands import attribution as commands

app = typer.Typer()


@app.command()
def attribution(
    what: Annotated[
        str | None, typer.Argument(metavar="COLLECTION|DATASET", help="Its folder or name; or use --project.")
    ] = None,
    project: Annotated[int | None, typer.Option("--project", "-p", help="Label Studio project id.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="credits.csv, or credits.html for a page.")] = Path(
        "credits.csv"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print one machine-readable object on stdout.")] = False,
) -> None:
    """List who made the collected images and under which licence; warn of unknown ones, NC and ND.

    Example: `labelloom attribution datasets/street -o credits.html`
    """
    commands.attribution(what, project, out, as_json=as_json)
