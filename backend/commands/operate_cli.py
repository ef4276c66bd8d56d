"""The arguments of the commands that operate the service: up, web, worker, login, tokens, jobs."""

from typing import TYPE_CHECKING, Annotated

import typer

from backend.commands import operate

if TYPE_CHECKING:
    from backend.flows.up import Wanted

app = typer.Typer()
tokens_app = typer.Typer(no_args_is_help=True, help="API tokens: make, list, revoke.")
app.add_typer(tokens_app, name="tokens")
jobs_app = typer.Typer(no_args_is_help=True, help="Look at jobs, stop and resume them.")
app.add_typer(jobs_app, name="jobs")

Json = Annotated[bool, typer.Option("--json", help="Print one machine-readable object on stdout.")]
Job = Annotated[str, typer.Argument(help="A job's id, as `labelloom jobs list` shows it.")]


@app.command()
def up(
    port: Annotated[
        int, typer.Option("--port", min=1, max=65535, help="Label Studio's port; a busy one is passed over.")
    ] = 8080,
    web_port: Annotated[
        int, typer.Option("--web-port", min=1, max=65535, help="Our own port; a busy one is passed over.")
    ] = 9090,
    host: Annotated[str, typer.Option("--host", help="Where our web server listens.")] = "127.0.0.1",
    workers: Annotated[int | None, typer.Option("--workers", "-w", min=1, help="Default: one per processor.")] = None,
    label_studio: Annotated[
        str | None, typer.Option("--label-studio", metavar="URL", help="Use this Label Studio; start none.")
    ] = None,
) -> None:
    """Start Label Studio, the web server and the workers, and keep them running until Ctrl-C.

    The first start installs Label Studio into an environment of its own and makes an account and a token for you.

    Example: `labelloom up --web-port 9191`
    """

    def wanted() -> "Wanted":
        from backend.flows.up import Wanted

        return Wanted(port, web_port, workers, label_studio, host)

    operate.up(wanted)


@app.command()
def web(
    host: Annotated[str, typer.Option("--host", help="Where to listen; 0.0.0.0 is everywhere.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="The port.")] = 9090,
    processes: Annotated[int, typer.Option("--processes", min=1, help="Server processes, of 16 threads each.")] = 1,
) -> None:
    """Run the web server alone: pages, HTTP API, webhooks. `labelloom up` runs it together with all else.

    Example: `labelloom web --host 0.0.0.0 --processes 2`
    """
    operate.web(host, port, processes)


@app.command()
def login() -> None:
    """Print a link that logs one browser in, once, within 15 minutes.

    Example: `labelloom login`
    """
    operate.login()


@tokens_app.command("make")
def tokens_make(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    email: Annotated[str | None, typer.Option("--email", help="Whose it is; jobs record it.")] = None,
    as_json: Json = False,
) -> None:
    """Make an API token and print it, this once.

    Example: `labelloom tokens make "nightly export" --email ops@example.org`
    """
    operate.tokens_make(name, email, as_json=as_json)


@tokens_app.command("list")
def tokens_list(as_json: Json = False) -> None:
    """List the tokens, without their secrets.

    Example: `labelloom tokens list`
    """
    operate.tokens_list(as_json=as_json)


@tokens_app.command("revoke")
def tokens_revoke(
    token: Annotated[str, typer.Argument(help="A token's id or name.")],
    as_json: Json = False,
) -> None:
    """Make a token worthless.

    Example: `labelloom tokens revoke "nightly export"`
    """
    operate.tokens_revoke(token, as_json=as_json)


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
