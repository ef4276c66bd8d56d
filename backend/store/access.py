"""Who may come in: API tokens, one-time login links, browser sessions; and answers kept for repeated requests.

Secrets are stored as their sha256 only. They are 32 random bytes, so a fast hash is enough and makes them findable.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from backend.store.tables import as_utc, idempotency, login_links, sessions, tokens

USED = timedelta(minutes=1)  # how exactly `last_used` is kept: a write per request would be one too many
ABANDONED = timedelta(minutes=2)  # after which a repeated request no longer waits for a first one that never answered


@dataclass(frozen=True, slots=True)
class TokenRow:
    """An API token, without the secret."""

    id: str
    name: str
    email: str | None
    created: datetime
    last_used: datetime | None = None
    revoked: datetime | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a request with an idempotency key; status is None while it is being answered."""

    request: str
    status: int | None
    location: str | None
    body: str | None


def add_token(engine: sa.Engine, token: TokenRow, sha256: str) -> None:
    """Enter a token."""
    row = {"id": token.id, "name": token.name, "email": token.email, "created": token.created, "sha256": sha256}
    with engine.begin() as connection:
        connection.execute(sa.insert(tokens), row)


def all_tokens(engine: sa.Engine) -> list[TokenRow]:
    """Return all tokens, newest first, the revoked ones too."""
    with engine.connect() as connection:
        return [_token(row) for row in connection.execute(sa.select(tokens).order_by(tokens.c.created.desc()))]


def find_token(engine: sa.Engine, sha256: str) -> TokenRow | None:
    """Return the token with this hash if it is not revoked, and note that it was used."""
    with engine.connect() as connection:
        query = sa.select(tokens).where(tokens.c.sha256 == sha256, tokens.c.revoked.is_(None))
        row = connection.execute(query).first()
    if row is None:
        return None
    token, now = _token(row), datetime.now(UTC)
    if token.last_used is None or now - token.last_used > USED:
        with engine.begin() as connection:
            connection.execute(sa.update(tokens).where(tokens.c.id == token.id).values(last_used=now))
    return token


def revoke(engine: sa.Engine, token: str) -> bool:
    """Revoke a token by its id; return whether there was a valid one."""
    change = sa.update(tokens).where(tokens.c.id == token, tokens.c.revoked.is_(None))
    with engine.begin() as connection:
        return bool(connection.execute(change.values(revoked=datetime.now(UTC))).rowcount)


def _token(row: sa.Row[Any]) -> TokenRow:
    return TokenRow(
        row.id, row.name, row.email, as_utc(row.created), _utc_or_none(row.last_used), _utc_or_none(row.revoked)
    )


def add_login_link(engine: sa.Engine, sha256: str, who: str, expires: datetime) -> None:
    """Enter a login link; those that expired are removed."""
    with engine.begin() as connection:
        connection.execute(sa.delete(login_links).where(login_links.c.expires < datetime.now(UTC)))
        connection.execute(sa.insert(login_links), {"sha256": sha256, "who": who, "expires": expires})


def take_login_link(engine: sa.Engine, sha256: str) -> str | None:
    """Use up a login link and return whom it is for, or None where it is unknown, used or expired."""
    valid = (login_links.c.sha256 == sha256, login_links.c.expires > datetime.now(UTC))
    with engine.begin() as connection:
        who = connection.execute(sa.select(login_links.c.who).where(*valid)).scalar()
        gone = connection.execute(sa.delete(login_links).where(*valid)).rowcount  # of two at once, one deletes the row
    return who if gone else None


def add_session(engine: sa.Engine, sha256: str, who: str, expires: datetime) -> None:
    """Enter a session; those that expired are removed."""
    with engine.begin() as connection:
        connection.execute(sa.delete(sessions).where(sessions.c.expires < datetime.now(UTC)))
        connection.execute(sa.insert(sessions), {"sha256": sha256, "who": who, "expires": expires})


def find_session(engine: sa.Engine, sha256: str) -> str | None:
    """Return whose session this is, or None."""
    with engine.connect() as connection:
        query = sa.select(sessions.c.who).where(sessions.c.sha256 == sha256, sessions.c.expires > datetime.now(UTC))
        return connection.execute(query).scalar()


def end_session(engine: sa.Engine, sha256: str) -> None:
    """Remove a session."""
    with engine.begin() as connection:
        connection.execute(sa.delete(sessions).where(sessions.c.sha256 == sha256))


def claim_key(engine: sa.Engine, key: str, request: str, keep: timedelta) -> Kept | None:
    """Claim an idempotency key for a request, or return what is kept under it."""
    now = datetime.now(UTC)
    stale = sa.or_(
        idempotency.c.created < now - keep,
        sa.and_(idempotency.c.status.is_(None), idempotency.c.created < now - ABANDONED),
    )
    with engine.begin() as connection:
        connection.execute(sa.delete(idempotency).where(stale))
    try:
        with engine.begin() as connection:
            connection.execute(sa.insert(idempotency), {"key": key, "request": request, "created": now})
    except sa.exc.IntegrityError:
        return _kept(engine, key, request)
    return None


def _kept(engine: sa.Engine, key: str, request: str) -> Kept:
    with engine.connect() as connection:
        row = connection.execute(sa.select(idempotency).where(idempotency.c.key == key)).first()
    return Kept(row.request, row.status, row.location, row.body) if row else Kept(request, None, None, None)


def keep_answer(engine: sa.Engine, key: str, status: int, location: str | None, body: str) -> None:
    """Keep the answer to a request with an idempotency key."""
    change = sa.update(idempotency).where(idempotency.c.key == key)
    with engine.begin() as connection:
        connection.execute(change.values(status=status, location=location, body=body))


def release_key(engine: sa.Engine, key: str) -> None:
    """Forget an idempotency key whose request did not succeed, so that it can be tried again."""
    with engine.begin() as connection:
        connection.execute(sa.delete(idempotency).where(idempotency.c.key == key))


def _utc_or_none(moment: datetime | None) -> datetime | None:
    return None if moment is None else as_utc(moment)
