"""`labelloom connect`: the arguments of the command that opens doors inside Label Studio."""

from typing import Annotated

import typer

from backend.commands import connect as work

app = typer.Typer()


@app.command()
def connect(
    project: Annotated[
        int | None, typer.Option("--project", "-p", help="Put a link into this project's instructions.")
    ] = None,
    control: Annotated[
        bool, typer.Option("--control", help="Make the project 'LabelLoom': an order form for every project.")
    ] = False,
    print_action: Annotated[
        bool, typer.Option("--print-action", help="Print the file that adds an entry to Label Studio's Actions menu.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one machine-readable object on stdout.")] = False,
) -> None:
    """Open a door to LabelLoom inside Label Studio. The one that `labelloom up` runs has the menu entry already.

    Example: `labelloom connect --control`
    """
    work.connect(project, control=control, print_action=print_action, as_json=as_json)
