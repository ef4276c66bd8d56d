"""`labelloom worker`, `labelloom jobs`: the arguments of the commands that operate the service."""

from typing import Annotated

import typer

from backend.commands import operate

app = typer.Typer()
jobs_app = typer.Typer(no_args_is_help=True, help="Look at jobs, stop and resume them.")
app.add_typer(jobs_app, name="jobs")

Json = Annotated[bool, typer.Option("--json", help="Print one machine-readable object on stdout.")]
Job = Annotated[str, typer.Argument(help="A job's id, as `labelloom jobs list` shows it.")]


@app.command()
def worker() -> None:
    """Do queued jobs until Ctrl-C; start one per processor, on as many machines as share the database and data folder.

    Example: `LABELLOOM_DATABASE_URL=postgresql://user@host/labelloom labelloom worker`
    """
    operate.worker()


@jobs_app.command("list")
def jobs_list(
    state: Annotated[
        list[str] | None, typer.Option("--state", help="queued, running, done, failed, cancelled.")
    ] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="export, augment, preview, convert, import.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="How many.")] = 20,
    as_json: Json = False,
) -> None:
    """List jobs, newest first.

    Example: `labelloom jobs list --state failed`
    """
    operate.jobs_list(state, kind, limit, as_json=as_json)


@jobs_app.command("show")
def jobs_show(job: Job, as_json: Json = False) -> None:
    """Show a job: how far it is, its log, how it ended.

    Example: `labelloom jobs show 3bea3c56c8b3`
    """
    operate.jobs_show(job, as_json=as_json)


@jobs_app.command("cancel")
def jobs_cancel(job: Job, as_json: Json = False) -> None:
    """Stop a job after the item in hand; it can be resumed.

    Example: `labelloom jobs cancel 3bea3c56c8b3`
    """
    operate.jobs_change("cancel", job, as_json=as_json)


@jobs_app.command("resume")
def jobs_resume(job: Job, as_json: Json = False) -> None:
    """Go on with a failed or cancelled job from where it is.

    Example: `labelloom jobs resume 3bea3c56c8b3`
    """
    operate.jobs_change("resume", job, as_json=as_json)
