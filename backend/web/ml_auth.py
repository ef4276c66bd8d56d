"""Who speaks to `/ml`: Label Studio, with the password of one project, or somebody with an API token."""

import hmac
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa
from flask import request

from backend.flows.access import caller_of_token, hashed
from backend.flows.ml_connect import USER
from backend.store.models import BackendRow, all_backends
from backend.web.problems import Problem

FRESH = 5.0  # seconds that passwords are remembered


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who speaks, and for which project (None: an API token, for any)."""

    who: str
    project: int | None

    def may(self, project: int) -> None:
        """Make sure that this is about the speaker's own project.

        Raises:
            Problem: 403.
        """
        if self.project is not None and self.project != project:
            raise Problem(
                403,
                f"this password is for project {self.project}, not for {project}",
                fix=f"`labelloom connect --project {project}` gives that project a password of its own",
            )


class Doorkeeper:
    """The passwords of the ML backends; one per app."""

    def __init__(self, engine: Callable[[], sa.Engine]) -> None:
        self._open = engine
        self._lock = threading.Lock()
        self._rows: list[BackendRow] = []
        self._read = float("-inf")

    def admit(self) -> Speaker:
        """Return who sends the current request.

        Raises:
            Problem: 401.
        """
        given = request.authorization
        if given is not None and given.type == "basic":
            password = given.password or ""
            project = self._project_of(password) if given.username == USER else None
            if project is not None:
                return Speaker(f"Label Studio project {project}", project)
            found = caller_of_token(self._open(), password)
            if found is not None:
                return Speaker(found.who, None)
        raise Problem(
            401,
            "the user or the password is missing or wrong",
            fix="`labelloom connect --project ID` sets both in Label Studio",
            headers={"WWW-Authenticate": 'Basic realm="LabelLoom", charset="UTF-8"'},
        )

    def _project_of(self, password: str) -> int | None:
        given = hashed(password)
        for age in (FRESH, 0.0):  # Label Studio tries a new password at once, while it is being set
            self._refresh(age)
            matching = [row.project for row in self._rows if hmac.compare_digest(row.sha256, given)]
            if matching:
                return matching[0]
        return None

    def _refresh(self, age: float) -> None:
        with self._lock:
            if time.monotonic() - self._read > age:
                self._rows = all_backends(self._open())
                self._read = time.monotonic()
