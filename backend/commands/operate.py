"""Commands that operate the service: up, web, worker, tokens, login, jobs."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from backend.commands.terminal import Outcome, TerminalProgress, run, stderr
from backend.core.errors import LabelLoomError

if TYPE_CHECKING:
    from backend.flows.up import Wanted
    from backend.settings import Settings
    from backend.store.jobs import JobRow


def up(wanted: "Callable[[], Wanted]") -> None:
    """Run `labelloom up`."""

    def work(settings: "Settings", progress: TerminalProgress) -> Outcome:
        from backend.flows.up import serve

        with progress.paused():
            serve(settings, wanted(), _say)
        return Outcome(["stopped"])

    run("up", work)


def _say(text: str) -> None:
    stderr.print(text, markup=False, highlight=False)


def web(host: str, port: int, processes: int) -> None:
    """Run `labelloom web`: this process becomes the web server."""
    import os

    from backend.flows.access import note_url
    from backend.flows.service import address, check_port, gunicorn

    with _told():
        settings = _ready()
        check_port(host, port)
        url = address(settings, host, port)
        note_url(settings, url)
    _say(f"LabelLoom     {url}")
    _say("log in with   the link that `labelloom login` prints")
    command = gunicorn(host, port, processes=processes)
    os.execv(command[0], command)


@contextmanager
def _told() -> Iterator[None]:
    """End a process that is no `run` as one is ended: the error, the fix, the exit code."""
    try:
        yield
    except LabelLoomError as error:
        _say(f"error: {error}")
        if error.fix:
            _say(f"  fix: {error.fix}")
        sys.exit(error.exit_code)


def _ready() -> "Settings":
    """Return the settings once the database is known to open.

    Raises:
        UsageError: a setting is unusable, or the database cannot be opened.
    """
    from backend.core.errors import UsageError
    from backend.settings import load_settings
    from backend.store.tables import open_database

    settings = load_settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        open_database(settings.database).dispose()
    except ValueError as error:  # which may repeat a part of the URL, and so of the password
        msg = "the database's address cannot be read: is its port a number?"
        raise UsageError(msg, fix="correct LABELLOOM_DATABASE_URL") from error
    return settings


def login() -> None:
    """Run `labelloom login`."""

    def work(settings: "Settings", _progress: TerminalProgress) -> Outcome:
        from getpass import getuser

        from backend.flows.access import login_link

        link = login_link(settings, getuser())
        return Outcome([link, "works once, within 15 minutes"])

    run("login", work)


def tokens_make(name: str, email: str | None, *, as_json: bool) -> None:
    """Run `labelloom tokens make`."""

    def work(settings: "Settings", _progress: TerminalProgress) -> Outcome:
        from backend.flows.access import create_token

        token = create_token(settings, name, email)
        return Outcome([token, "keep it: it is not shown again"], more={"token": token})

    run("tokens make", work, as_json=as_json)


def tokens_list(*, as_json: bool) -> None:
    """Run `labelloom tokens list`."""

    def work(settings: "Settings", _progress: TerminalProgress) -> Outcome:
        from backend.flows.access import list_tokens

        rows = list_tokens(settings)
        told = [
            {
                "id": row.id,
                "name": row.name,
                "email": row.email,
                "created": row.created.isoformat(),
                "last_used": row.last_used.isoformat() if row.last_used else None,
                "revoked": row.revoked is not None,
            }
            for row in rows
        ]
        text = [
            f"{t['id']}  {'revoked' if t['revoked'] else 'valid  '}  {t['name']}  {t['email'] or ''}  "
            f"last used {t['last_used'] or 'never'}"
            for t in told
        ]
        return Outcome(text or ["no tokens"], more={"tokens": told})

    run("tokens list", work, as_json=as_json)


def tokens_revoke(token: str, *, as_json: bool) -> None:
    """Run `labelloom tokens revoke`."""

    def work(settings: "Settings", _progress: TerminalProgress) -> Outcome:
        from backend.flows.access import revoke_token

        row = revoke_token(settings, token)
        return Outcome([f"{row.id} ({row.name}) is revoked"])

    run("tokens revoke", work, as_json=as_json)


def worker() -> None:
    """Run `labelloom worker`: one line of JSON per event on stderr, until a signal."""
    import logging

    import structlog

    from backend.commands.operate_log import Seldom
    from backend.flows.work import work

    with _told():
        settings = _ready()
    before: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),  # the job's id, where an event is about one
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processor=structlog.processors.JSONRenderer(ensure_ascii=False), foreign_pre_chain=before
        )
    )
    handler.addFilter(Seldom({"stamina", "labelloom.worker"}))  # Label Studio may be away for hours
    logging.basicConfig(handlers=[handler])
    logging.getLogger("labelloom").setLevel(logging.INFO)
    logging.getLogger("dbos").setLevel(logging.WARNING)
    with _told():
        work(settings)


def jobs_list(states: list[str] | None, kind: str | None, limit: int, *, as_json: bool) -> None:
    """Run `labelloom jobs list`."""

    def work(settings: "Settings", _progress: TerminalProgress) -> Outcome:
        from backend.store.jobs import list_jobs
        from backend.store.tables import open_database

        rows = list_jobs(open_database(settings.database), states=states or (), kind=kind, limit=limit)
        text = [_line(row) for row in rows] or ["no jobs"]
        return Outcome(text, more={"jobs": [job_json(row) for row in rows]})

    run("jobs list", work, as_json=as_json)


def jobs_show(job: str, *, as_json: bool) -> None:
    """Run `labelloom jobs show`."""

    def work(settings: "Settings", _progress: TerminalProgress) -> Outcome:
        from backend.flows.jobs import Jobs
        from backend.store.jobs import lines_of

        with Jobs(settings) as jobs:
            row, lines = jobs.get(job), lines_of(jobs.engine, job)
        text = [_line(row), *(f"{at:%Y-%m-%d %H:%M:%S}  {line}" for _, at, line in lines)]
        if row.error:
            text += [f"error: {row.error}", *([f"  fix: {row.fix}"] if row.fix else [])]
        return Outcome(text, more={"job": job_json(row), "lines": [line for *_, line in lines]})

    run("jobs show", work, as_json=as_json)


def jobs_change(verb: str, job: str, *, as_json: bool) -> None:
    """Run `labelloom jobs cancel` and `labelloom jobs resume`."""

    def work(settings: "Settings", _progress: TerminalProgress) -> Outcome:
        from backend.flows.jobs import Jobs

        with Jobs(settings) as jobs:
            row = jobs.cancel(job) if verb == "cancel" else jobs.resume(job)
        return Outcome([_line(row)], more={"job": job_json(row)})

    run(f"jobs {verb}", work, as_json=as_json)


def job_json(row: "JobRow") -> dict[str, Any]:
    """Return a job as JSON."""
    from dataclasses import asdict
    from datetime import datetime

    data = {key: value.isoformat() if isinstance(value, datetime) else value for key, value in asdict(row).items()}
    return {**data, "seconds": row.seconds, "eta": row.eta}


def _line(row: "JobRow") -> str:
    """Return a job in one line."""
    at = "" if row.phase is None or row.state != "running" else f"  {row.phase} {row.done:,}"
    at += f" of {row.total:,}" if at and row.total else ""
    left = f", about {row.eta:.0f} s left" if row.eta is not None else ""
    spent = f"  {row.seconds:.0f} s" if row.seconds is not None else ""
    return f"{row.id}  {row.created:%Y-%m-%d %H:%M}  {row.kind:8} {row.state:10} {row.who}{spent}{at}{left}"
