"""Figures for Prometheus: requests of this process; jobs and workers as the database tells at the time of asking."""

from collections.abc import Iterator
from datetime import timedelta

import sqlalchemy as sa
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily

from backend.store.jobs import ACTIVE, FINISHED, count_states
from backend.store.workers import alive

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})


class Metrics:
    """The figures of one app."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "labelloom_requests", "Requests answered.", ["method", "route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "labelloom_request_seconds", "Seconds until an answer began.", ["route"], registry=self._registry
        )

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request. route: the pattern, never the path, so that the number of series stays small."""
        self._requests.labels(method if method in _METHODS else "OTHER", route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self, engine: sa.Engine, patience: timedelta) -> bytes:
        """Return all figures in Prometheus' text format."""
        own = CollectorRegistry()
        own.register(_Stored(engine, patience))
        return generate_latest(self._registry) + generate_latest(own)


class _Stored:
    """What the database tells."""

    def __init__(self, engine: sa.Engine, patience: timedelta) -> None:
        self._engine, self._patience = engine, patience

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the jobs by state and the workers heard of lately."""
        counts = count_states(self._engine)
        states = GaugeMetricFamily("labelloom_jobs", "Jobs by state.", labels=["state"])
        for state in (*ACTIVE, *FINISHED):
            states.add_metric([state], counts.get(state, 0))
        yield states
        number = len(alive(self._engine, self._patience))
        yield GaugeMetricFamily("labelloom_workers", "Workers that are alive.", value=number)
