"""Figures of the ML backend for Prometheus, of this process."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from backend.flows.ml_answers import Answer


class MlMetrics:
    """What `/ml` answered so far."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        became = "Tasks asked about, by what became of them."
        self._tasks = Counter("labelloom_ml_tasks", became, ["outcome"], registry=registry)
        self._cached = Counter("labelloom_ml_cached", "Tasks answered without an inference.", registry=registry)
        self._seconds = Histogram(
            "labelloom_ml_predict_seconds",
            "Seconds until a request for predictions was answered.",
            ["what"],
            buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 100),
            registry=registry,
        )

    def count(self, answers: Iterable[Answer], what: str, seconds: float) -> None:
        """Count a request. what: batch, task or interactive."""
        for answer in answers:
            self._tasks.labels(answer.kind).inc()
            self._cached.inc(int(answer.cached))
        self._seconds.labels(what).observe(seconds)

    def text(self) -> bytes:
        """Return all figures in Prometheus' text format."""
        return generate_latest(self._registry)
