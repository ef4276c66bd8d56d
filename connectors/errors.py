"""The connectors' error tree; `backend.flows` turns each into one of the application's own errors.

ConnectorError                 the outside world did not do what was asked; `fix` says what to do about it
|- Unreachable                 nobody answers at the address, or the connection broke
|- NotLabelStudio              something answers, but it is not Label Studio
|- TooOld                      Label Studio answers, but is older than what we speak to
|- Unauthorized                the token is missing, wrong, expired, or of a kind that is switched off
|- Refused                     Label Studio understood and said no (4xx); `status` holds its code
|- ServerFailed                Label Studio failed (5xx); `status` holds its code
|- FetchError                  one image cannot be fetched; the others can
`- ServerError                 our own Label Studio process cannot be installed or started
"""


class ConnectorError(Exception):
    """Something outside failed.

    Args:
        message: what failed and why, naming the address.
        fix: what to do about it, as a sentence.
        status: the HTTP status, where there was one.
    """

    def __init__(self, message: str, *, fix: str | None = None, status: int | None = None) -> None:
        super().__init__(message)
        self.fix = fix
        self.status = status


class Unreachable(ConnectorError):
    """Nobody answers, or the connection broke."""


class NotLabelStudio(ConnectorError):
    """Something answers, but it is not Label Studio."""


class TooOld(ConnectorError):
    """Label Studio is older than what this connector speaks to."""


class Unauthorized(ConnectorError):
    """The token does not open the door."""


class Refused(ConnectorError):
    """Label Studio said no (4xx)."""


class ServerFailed(ConnectorError):
    """Label Studio failed (5xx)."""


class FetchError(ConnectorError):
    """One image cannot be fetched."""


class ServerError(ConnectorError):
    """Our own Label Studio cannot be installed or started."""
