"""What the tests of the doors share."""

import io
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw
from quick_cli import Running
from werkzeug.serving import BaseWSGIServer, make_server

from backend.flows.jobs import Jobs
from backend.flows.orders import last_job
from backend.settings import Settings
from backend.store.jobs import FINISHED, JobRow
from backend.web.app import create_app

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@dataclass
class Loom:
    """Our own service; `web` is None while it is down."""

    home: Path
    port: int
    token: str
    settings: Settings
    web: BaseWSGIServer | None = None
    worker: Running | None = None

    def start(self) -> None:
        """Answer requests."""
        self.web = make_server("127.0.0.1", self.port, create_app(self.settings), threaded=True)
        threading.Thread(target=self.web.serve_forever, daemon=True).start()

    @contextmanager
    def worker_asleep(self) -> Iterator[None]:
        """Let the worker do nothing, so that what it would do is left to the test."""
        assert self.worker is not None
        self.worker.send_signal(signal.SIGSTOP)
        while self._locked():  # it was stopped in the middle of a write, and would keep everybody out
            self.worker.send_signal(signal.SIGCONT)
            time.sleep(0.05)
            self.worker.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.worker.send_signal(signal.SIGCONT)

    def _locked(self) -> bool:
        """Tell whether a SQLite file of ours is being written to."""
        for file in self.settings.data_dir.glob("*.db"):
            with closing(sqlite3.connect(file, timeout=0.2)) as connection:
                try:
                    connection.execute("BEGIN IMMEDIATE")
                except sqlite3.OperationalError:
                    return True
        return False

    def stop(self) -> None:
        """Answer no more."""
        assert self.web is not None
        self.web.shutdown()
        self.web.server_close()
        self.web = None


def picture(number: int) -> bytes:
    """A noisy JPEG with a bright square."""
    shown = Image.fromarray(np.random.default_rng(number).integers(0, 120, (240, 320, 3), dtype=np.uint8))
    ImageDraw.Draw(shown).rectangle((80, 60, 180, 160), fill=(250, 40 * number, 40))
    buffer = io.BytesIO()
    shown.save(buffer, "JPEG")
    return buffer.getvalue()


def log_in(browser: "Browser", url: str, email: str, password: str) -> "Page":
    """Return a page of a browser session of its own."""
    page = browser.new_context(viewport={"width": 1400, "height": 900}).new_page()
    page.set_default_timeout(40_000)
    page.goto(f"{url}/user/login/")
    page.fill("input[name=email]", email)
    page.fill("input[name=password]", password)
    page.click("button[type=submit]")
    page.wait_for_url(lambda address: "/login" not in address)
    return page


def last_of(jobs: Jobs, project: int) -> str:
    """Return the id of a project's newest job."""
    row = last_job(jobs.engine, project)
    assert row is not None
    return row.id


def wait_until_done(jobs: Jobs, job: str, seconds: float = 120) -> JobRow:
    """Return a job when it has ended."""
    end = time.monotonic() + seconds
    while (row := jobs.get(job)).state not in FINISHED:
        assert time.monotonic() < end, row
        time.sleep(0.1)
    return row
