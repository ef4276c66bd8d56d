"""How one attempt fails, inside this package; outside it is a `Lost` or a `FetchError`."""

from connectors.fetching.values import OptOut


class Failure(Exception):
    """One attempt failed.

    Args:
        code: of the table of reasons.
        detail: what exactly happened.
        passing: whether it may go better in a moment.
        wait: seconds the host asked for before the next attempt; None where it did not say.
        opt_out: what was seen of the owner's reservations until then.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        passing: bool = False,
        wait: float | None = None,
        opt_out: OptOut | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.passing = passing
        self.wait = wait
        self.opt_out = opt_out
