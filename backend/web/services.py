"""What requests work with: settings, the database, the jobs. Opened at first use, so the app starts without them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from flask import current_app

from backend.core.errors import UsageError
from backend.flows.collection_view import Views
from backend.flows.jobs import Jobs
from backend.settings import Settings
from backend.store.tables import open_database
from backend.web.problems import Problem

if TYPE_CHECKING:
    from backend.flows.live_preview import LivePreviews
    from backend.flows.style.preview import Previews

_KEY = "labelloom"
_AWAY = "the database does not answer"
_FIX = "try again soon; the server's log says more"


class Services:
    """One per app; safe to share between threads."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.views = Views()
        self._lock = threading.Lock()
        self._engine: sa.Engine | None = None
        self._jobs: Jobs | None = None
        self._previews: Previews | None = None
        self._live: LivePreviews | None = None

    @property
    def engine(self) -> sa.Engine:
        """Our database.

        Raises:
            Problem: 503, it does not answer.
        """
        with self._lock:
            if self._engine is None:
                try:
                    self._engine = open_database(self.settings.database)
                except UsageError as error:  # its message may hold parts of the address: it goes to the log only
                    current_app.logger.warning("%s", error)
                    raise Problem(503, _AWAY, fix=_FIX) from error
            return self._engine

    @property
    def jobs(self) -> Jobs:
        """The jobs.

        Raises:
            Problem: 503, the database does not answer.
        """
        engine = self.engine
        with self._lock:
            if self._jobs is None:
                with answered():
                    self._jobs = Jobs(self.settings, engine)
            return self._jobs

    @property
    def previews(self) -> "Previews":
        """What was looked at for previews of styles."""
        from backend.flows.style.preview import Previews  # OpenCV and ONNX Runtime only where they are asked for

        with self._lock:
            self._previews = self._previews or Previews(self.settings, threads=1)
            return self._previews

    @property
    def live(self) -> "LivePreviews":
        """What was looked at for previews of recipes."""
        from backend.flows.live_preview import LivePreviews  # Albumentations only where it is asked for

        with self._lock:
            self._live = self._live or LivePreviews(self.settings)
            return self._live

    @property
    def datasets_dir(self) -> Path:
        """The folder whose direct subfolders are the datasets that the API shows."""
        return self.settings.datasets_dir.resolve()


@contextmanager
def answered() -> Iterator[None]:
    """Turn a database that is away into an answer that says so."""
    try:
        yield
    except (sa.exc.OperationalError, sa.exc.InterfaceError) as error:
        raise Problem(503, _AWAY, fix=_FIX) from error


def install(app_extensions: dict[str, object], settings: Settings) -> None:
    """Give an app its services."""
    app_extensions[_KEY] = Services(settings)


def services() -> Services:
    """Return the current app's services."""
    found: Services = current_app.extensions[_KEY]
    return found
