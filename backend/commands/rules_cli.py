"""`labelloom rules`: the arguments of the commands that look after rules."""

from typing import Annotated

import typer

from backend.commands import rules
from backend.commands.terminal import stderr
from backend.core.errors import UsageError

app = typer.Typer(no_args_is_help=True, help="Start jobs by themselves: after so many annotations, nightly, on events.")

Json = Annotated[bool, typer.Option("--json", help="Print one machine-readable object on stdout.")]
Rule = Annotated[str, typer.Argument(help="A rule's name, or its number.")]


@app.command()
def add(  # noqa: PLR0913 - each is an option of its own
    project: Annotated[int, typer.Option("--project", "-p", help="Label Studio project id.")],
    name: Annotated[str | None, typer.Option("--name", help="Default: project-ID-JOB.")] = None,
    annotations: Annotated[
        int | None, typer.Option("--annotations", "-n", help="After so many new annotations since its last run.")
    ] = None,
    changes: Annotated[bool, typer.Option("--changes", help="Count changed annotations as well.")] = False,
    at: Annotated[str | None, typer.Option("--at", help="Every night at this time: HH:MM.")] = None,
    zone: Annotated[str, typer.Option("--zone", help="Time zone of --at, such as Asia/Seoul.")] = "UTC",
    event: Annotated[
        str | None,
        typer.Option(
            "--event", help="annotation-created, -updated, -deleted, task-created, -deleted, project-updated."
        ),
    ] = None,
    quiet: Annotated[
        str, typer.Option("--quiet", help="Wait until nothing changed for this long: 90s, 10m, 2h.")
    ] = "60s",
    patience: Annotated[str, typer.Option("--patience", help="... but no longer than this, once it is due.")] = "1h",
    recipe: Annotated[str | None, typer.Option("--recipe", "-r", help="A recipe's name.")] = None,
    formats: Annotated[list[str] | None, typer.Option("--format", "-f", help="As in `labelloom export`.")] = None,
    write_back: Annotated[str | None, typer.Option("--write-back", help="Title of the project to write.")] = None,
    as_predictions: Annotated[bool, typer.Option("--as-predictions", help="Write predictions.")] = False,
    derived: Annotated[bool, typer.Option("--derived", help="The project may be one LabelLoom wrote.")] = False,
    do: Annotated[str, typer.Option("--do", help="The kind of job.")] = "export",
    param: Annotated[
        list[str] | None, typer.Option("--param", help="Another parameter of the job: NAME=VALUE; JSON or text.")
    ] = None,
    url: Annotated[str | None, typer.Option("--url", help="Where Label Studio reaches LabelLoom.")] = None,
    as_json: Json = False,
) -> None:
    """Add a rule, or change the one of that name, and register its webhook in Label Studio.

    Example: `labelloom rules add -p 7 -n 50 --quiet 10m -r street-default -f yolo --write-back "Street augmented"`

    Example: `labelloom rules add -p 7 --at 02:30 --zone Asia/Seoul -r gentle --name nightly`
    """
    given = {"recipe": recipe, "formats": formats, "write_back": write_back, "as_predictions": as_predictions or None}
    try:
        when = {"annotations": annotations, "changes": changes, "at": at, "zone": zone, "event": event}
        document = {
            "name": name or f"project-{project}-{do}",
            "project": project,
            "when": when,
            "quiet": rules.seconds(quiet),
            "patience": rules.seconds(patience),
            "derived": derived,
            "do": {
                "kind": do,
                "params": {k: v for k, v in given.items() if v is not None} | rules.parameters(param or [], "--param"),
            },
        }
    except UsageError as error:
        stderr.print(f"error: {error}", f"  fix: {error.fix}", sep="\n", markup=False, highlight=False)
        raise typer.Exit(error.exit_code) from error
    rules.add(document, url, as_json=as_json)


@app.command("list")
def list_(
    project: Annotated[int | None, typer.Option("--project", "-p", help="Only this project's.")] = None,
    as_json: Json = False,
) -> None:
    """List rules: on or off, what each waits for.

    Example: `labelloom rules list`
    """
    rules.listing(project, as_json=as_json)


@app.command()
def show(rule: Rule, as_json: Json = False) -> None:
    """Show a rule and its last runs.

    Example: `labelloom rules show nightly`
    """
    rules.show(rule, as_json=as_json)


@app.command()
def test(rule: Rule, as_json: Json = False) -> None:
    """Say what the rule would do at this moment, and why; nothing is started.

    Example: `labelloom rules test nightly`
    """
    rules.test(rule, as_json=as_json)


@app.command()
def enable(rule: Rule, as_json: Json = False) -> None:
    """Switch a rule on; what happened while it was off counts.

    Example: `labelloom rules enable nightly`
    """
    rules.switch(rule, on=True, as_json=as_json)


@app.command()
def disable(rule: Rule, as_json: Json = False) -> None:
    """Switch a rule off; a job it started goes on.

    Example: `labelloom rules disable nightly`
    """
    rules.switch(rule, on=False, as_json=as_json)


@app.command()
def rm(rule: Rule, as_json: Json = False) -> None:
    """Remove a rule, its history, and, with a project's last rule, the webhook.

    Example: `labelloom rules rm nightly`
    """
    rules.remove(rule, as_json=as_json)


@app.command()
def history(
    rule: Rule,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="How many.")] = 20,
    as_json: Json = False,
) -> None:
    """List a rule's runs: when, why, which job, how it ended.

    Example: `labelloom rules history nightly`
    """
    rules.history(rule, limit, as_json=as_json)
