"""For operators: is it alive, can it work, how much does it do."""

from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, Response, current_app

from backend.web.metrics import Metrics
from backend.web.problems import Problem
from backend.web.security import own_auth
from backend.web.services import answered, services

routes = Blueprint("operate", __name__)


@routes.get("/healthz")
@own_auth
def healthz() -> Any:
    """Answer while the process lives."""
    return {"status": "ok"}


@routes.get("/readyz")
@own_auth
def readyz() -> Any:
    """Answer 200 when requests can be served, 503 with the reason when not."""
    try:
        with answered(), services().engine.connect() as connection:
            connection.execute(sa.text("SELECT 1"))
    except Problem as problem:
        return {"status": "not ready", "reason": problem.detail}, 503
    return {"status": "ready"}


@routes.get("/metrics")
def metrics() -> Response:
    """Return the figures for Prometheus."""
    figures: Metrics = current_app.extensions["labelloom-metrics"]
    patience = timedelta(seconds=services().settings.worker_timeout)
    return Response(figures.text(services().engine, patience), content_type="text/plain; version=0.0.4; charset=utf-8")
