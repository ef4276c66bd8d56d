"""Let people and scripts in: API tokens, login links, sessions."""

import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import sqlalchemy as sa

from backend.core.errors import UsageError, shown
from backend.settings import Settings
from backend.store import access as table
from backend.store.access import TokenRow
from backend.store.tables import open_database

TOKEN = re.compile(r"loom_[A-Za-z0-9_-]{43}")
LINK_LIFE, SESSION_LIFE = timedelta(minutes=15), timedelta(hours=12)
DEFAULT_URL = "http://localhost:9090"

_EMAIL = re.compile(r"[^@\s<>]+@[^@\s<>]+")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request. who: as jobs record it; key: tells callers apart; csrf: set for browser sessions only."""

    who: str
    key: str
    csrf: str | None = None


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
    return f"{(settings.base_url or DEFAULT_URL).rstrip('/')}/login#{code}"


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
