"""The way to Label Studio: which one, with which key, and its errors in our words. Loads nothing heavy."""

from collections.abc import Iterator
from contextlib import contextmanager

from backend.core.errors import LabelLoomError, UsageError
from backend.settings import Settings
from connectors.errors import ConnectorError, Refused
from connectors.label_studio import LabelStudio, Project
from connectors.label_studio_server import read_account


@contextmanager
def translated() -> Iterator[None]:
    """Turn a connector's error into one of ours, its fix kept."""
    try:
        yield
    except ConnectorError as error:
        raise LabelLoomError(str(error), fix=error.fix) from error


def connect(settings: Settings, url: str | None = None) -> LabelStudio:
    """Return a connection to the configured Label Studio, or to the one that `labelloom up` runs.

    Raises:
        UsageError: there is neither an address with a token nor a Label Studio of our own.
    """
    with translated():
        return LabelStudio(*address_and_key(settings, url))


def address_and_key(settings: Settings, url: str | None = None) -> tuple[str, str]:
    """Return which Label Studio is configured, or runs here, and its API key.

    Raises:
        UsageError: there is neither an address with a token nor a Label Studio of our own.
    """
    account = read_account(settings.data_dir / "label-studio")
    address = url or settings.label_studio_url or (account.url if account else None)
    key = settings.label_studio_api_key.get_secret_value() if settings.label_studio_api_key else None
    if key is None and account and address == account.url:
        key = account.personal_token or account.token
    if not address or not key:
        msg = "no Label Studio is configured"
        raise UsageError(msg, fix="set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY, or run `labelloom up`")
    return address, key


def find_project(client: LabelStudio, project: int) -> Project:
    """Return a project.

    Raises:
        LabelLoomError: there is none of that number that the token may see.
    """
    try:
        return client.project(project)
    except Refused as error:
        msg = f"there is no project {project} at {client.url}, or this token may not see it"
        raise LabelLoomError(msg, fix="its number is in the address of its page: /projects/NUMBER/data") from error
