"""`/hooks/label-studio`: takes what Label Studio's webhooks tell, stores it and answers at once.

Label Studio waits for the answer while an annotator saves, gives up after one second, and never tries again. So nothing
is looked up or asked here; rules look at the project itself afterwards, and find what was never delivered as well.
"""

import hmac
import logging
import threading
import time
from collections.abc import Callable
from functools import cached_property

import sqlalchemy as sa
from flask import Blueprint, Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from backend.core.errors import UsageError
from backend.flows.access import hashed
from backend.flows.receive import read_delivery
from backend.flows.rules import HEADER, PATH
from backend.store.deliveries import Writer, quick_engine
from backend.store.rules import Hook, all_hooks
from backend.web.problems import Problem
from backend.web.security import own_auth

log = logging.getLogger("labelloom.web")

LIMIT = 1_000_000  # bytes of a body
PATIENCE = 0.7  # seconds for other deliveries; after one second nobody waits for the answer any more
FRESH = 5.0  # seconds that secrets are remembered
AGAIN = 0.5  # seconds between two looks for a secret that is not remembered


class Receiver:
    """The secrets of the webhooks, and the writer; one per process."""

    def __init__(self, engine: Callable[[], sa.Engine]) -> None:
        self._open = engine
        self._lock = threading.Lock()
        self._hooks: list[Hook] = []
        self._read = float("-inf")

    @cached_property
    def writer(self) -> Writer:
        """The one that stores."""
        return Writer(quick_engine(self._open()))

    def project_of(self, secret: str) -> int | None:
        """Return the project whose webhook has this secret; every hash is compared, in constant time."""
        given = hashed(secret)
        for age in (FRESH, AGAIN):
            self._refresh(age)
            matching = [hook.project for hook in self._hooks if hmac.compare_digest(hook.sha256, given)]
            if matching:
                return matching[0]
        return None

    def _refresh(self, age: float) -> None:
        with self._lock:
            if time.monotonic() - self._read > age:
                self._hooks = all_hooks(self._open())
                self._read = time.monotonic()


def webhooks(engine: Callable[[], sa.Engine]) -> Blueprint:
    """Return the route; `engine` opens our database at the first delivery."""
    blueprint, receiver = Blueprint("webhooks", __name__), Receiver(engine)

    @blueprint.post(PATH)
    @own_auth
    def deliver() -> Response:
        """Store a delivery: 204, or 202 where it is about nothing that we watch."""
        project = receiver.project_of(request.headers.get(HEADER, ""))
        if project is None:
            raise Problem(
                401, "the secret of the webhook is missing or wrong", fix="`labelloom rules add` sets it anew"
            )
        request.max_content_length = LIMIT
        try:
            delivery = read_delivery(request.get_data(cache=False), project)
        except RequestEntityTooLarge as error:
            raise Problem(413, f"a delivery may have at most {LIMIT} bytes") from error
        except UsageError as error:
            raise Problem(400, str(error)) from error
        try:
            receiver.writer.put(delivery, PATIENCE)
        except (TimeoutError, sa.exc.SQLAlchemyError) as error:
            log.warning(
                "a delivery was not stored (%s); comparing the project finds what it told", type(error).__name__
            )
            raise Problem(503, "the database does not answer") from error
        return Response(status=202 if delivery.state == "ignored" else 204)

    return blueprint
