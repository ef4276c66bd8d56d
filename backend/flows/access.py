"""Let people and scripts in: API tokens, login links, sessions."""

import json
import os
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import sqlalchemy as sa

from backend.core.errors import UsageError, shown
from backend.settings import Settings
from backend.store import access as table
from backend.store.access import TokenRow
from backend.store.tables import open_database

TOKEN = re.compile(r"loom_[A-Za-z0-9_-]{43}")
LINK_LIFE, SESSION_LIFE = timedelta(minutes=15), timedelta(hours=12)
DEFAULT_URL = "http://localhost:9090"

_NOTE = "service.json"  # in the data folder: where the service that was started last answers
_EMAIL = re.compile(r"[^@\s<>]+@[^@\s<>]+")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request. who: as jobs record it; key: tells callers apart; csrf: set for browser sessions only."""

    who: str
    key: str
    csrf: str | None = None


def service_url(settings: Settings) -> str:
    """Return LabelLoom's address, without a slash at its end: the setting, else what was noted, else the default."""
    return (settings.base_url or noted_url(settings) or DEFAULT_URL).rstrip("/")


def noted_url(settings: Settings) -> str | None:
    """Return the address that the service noted when it was started last, or None."""
    try:
        url = json.loads((settings.data_dir / _NOTE).read_text(encoding="utf-8"))["url"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return url if isinstance(url, str) and url.startswith(("http://", "https://")) else None


def note_url(settings: Settings, url: str) -> None:
    """Note where the service answers, for the commands that are run beside it."""
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_private(settings.data_dir / _NOTE, json.dumps({"url": url}))


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read; it is either whole or as it was."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def hashed(secret: str) -> str:
    """Return what is stored of a secret."""
    return sha256(secret.encode()).hexdigest()


def create_token(settings: Settings, name: str, email: str | None = None) -> str:
    """Make an API token and return it; it cannot be shown again.

    Raises:
        UsageError: the name or the e-mail is unusable.
    """
    name = name.strip()
    if not 1 <= len(name) <= 100 or not name.isprintable():
        msg = f"{shown(name)} cannot be a token's name"
        raise UsageError(msg, fix="give 1 to 100 printable characters, such as 'nightly export'")
    if email is not None and (len(email) > 254 or not _EMAIL.fullmatch(email)):
        msg = f"{shown(email)} is not an e-mail address"
        raise UsageError(msg, fix="write it like name@example.org")
    token = f"loom_{secrets.token_urlsafe(32)}"
    row = TokenRow(secrets.token_hex(4), name, email, datetime.now(UTC))
    table.add_token(open_database(settings.database), row, hashed(token))
    return token


def list_tokens(settings: Settings) -> list[TokenRow]:
    """Return all tokens, newest first, without their secrets."""
    return table.all_tokens(open_database(settings.database))


def revoke_token(settings: Settings, token: str) -> TokenRow:
    """Revoke a token, given its id or its name.

    Raises:
        UsageError: there is none, or several have that name.
    """
    engine = open_database(settings.database)
    valid = [row for row in table.all_tokens(engine) if row.revoked is None]
    found = [row for row in valid if row.id == token] or [row for row in valid if row.name == token]
    if len(found) != 1:
        msg = f"{len(found) or 'no'} valid tokens are called {shown(token)}"
        raise UsageError(msg, fix="give the id of one that the list of tokens shows")
    table.revoke(engine, found[0].id)
    return found[0]


def login_link(settings: Settings, who: str) -> str:
    """Return a link that logs a browser in, once, within 15 minutes.

    The code stands behind the `#`, which browsers send to nobody: it reaches no log and no other site.
    """
    code = secrets.token_urlsafe(32)
    expires = datetime.now(UTC) + LINK_LIFE
    table.add_login_link(open_database(settings.database), hashed(code), who[:255], expires)
    return f"{service_url(settings)}/login#{code}"


def caller_of_token(engine: sa.Engine, token: str) -> Caller | None:
    """Return whose API token this is, or None."""
    found = table.find_token(engine, hashed(token)) if TOKEN.fullmatch(token) else None
    if found is None:
        return None
    return Caller(f"{found.name} <{found.email}>" if found.email else found.name, f"token:{found.id}")


def open_session(engine: sa.Engine, code: str) -> str | None:
    """Use up a login link's code and return the secret of a new session, or None where the code is not valid."""
    who = table.take_login_link(engine, hashed(code))
    if who is None:
        return None
    secret = secrets.token_urlsafe(32)
    table.add_session(engine, hashed(secret), who, datetime.now(UTC) + SESSION_LIFE)
    return secret


def caller_of_session(engine: sa.Engine, secret: str) -> Caller | None:
    """Return whose session this is, or None."""
    who = table.find_session(engine, hashed(secret))
    return None if who is None else Caller(who, f"session:{who}", csrf_of(secret))


def csrf_of(secret: str) -> str:
    """Return the token that a session's pages send with every change; other sites can neither read nor derive it."""
    return hashed(f"csrf:{secret}")


def close_session(engine: sa.Engine, secret: str) -> None:
    """End a session."""
    table.end_session(engine, hashed(secret))
