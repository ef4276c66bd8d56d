"""`labelloom connect`: the arguments of the command that opens doors inside Label Studio."""

from typing import Annotated

import typer

from backend.commands import connect as work

app = typer.Typer()


@app.command()
def connect(  # noqa: PLR0913 - each is an option of its own
    project: Annotated[
        int | None,
        typer.Option("--project", "-p", help="Put a link into this project's instructions, and predict in it."),
    ] = None,
    detector: Annotated[
        str | None, typer.Option("--detector", help="What predicts in the project; fewshot learns its own labels.")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option("--option", help="NAME=VALUE, an option of the detector; may be repeated.")
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Undo what --project did; its models stay.")] = False,
    control: Annotated[
        bool, typer.Option("--control", help="Make the project 'LabelLoom': an order form for every project.")
    ] = False,
    print_action: Annotated[
        bool, typer.Option("--print-action", help="Print the file that adds an entry to Label Studio's Actions menu.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one machine-readable object on stdout.")] = False,
) -> None:
    """Open a door to LabelLoom inside Label Studio. The one that `labelloom up` runs has the menu entry already.

    Example: `labelloom connect --project 3`

    Example: `labelloom connect --project 3 --detector proxy --option url=http://localhost:9091`

    Example: `labelloom connect --control`
    """
    doors = [name for name, wanted in (("control", control), ("action", print_action)) if wanted]
    work.connect(project, (detector, option or []), remove=remove, doors=doors, as_json=as_json)
