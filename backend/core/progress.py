"""How long work reports where it is; a surface (terminal, job, page) decides how to show it."""

from typing import Protocol


class Progress(Protocol):
    """Receives progress and may stop the work."""

    def update(self, phase: str, done: int, total: int | None = None) -> None:
        """Report that `done` of `total` items of `phase` are finished (total None: not known yet).

        Raises:
            Cancelled: the user asked to stop; what is done so far stays and is resumed by the next run.
        """


class Silent:
    """Progress that nobody watches."""

    def update(self, phase: str, done: int, total: int | None = None) -> None:
        """Ignore the report."""
