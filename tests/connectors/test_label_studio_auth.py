"""Tokens: each kind is sent its way, renewed early, by one thread for all, and to no other host."""

import base64
import json
import threading
from typing import Any

import httpx
import pytest

from connectors.errors import Unauthorized
from connectors.label_studio_auth import TokenAuth

BASE = httpx.URL("http://ls.example:8080/label-studio")


def jwt(**claims: Any) -> str:
    part = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"h.{part}.s"


class FakeLabelStudio:
    """Hands out access tokens that live 300 seconds, and remembers what it was sent."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.renewals = 0
        self.seen: list[tuple[str, str | None]] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.seen.append((str(request.url), request.headers.get("Authorization")))
        if request.url.path.endswith("/api/token/refresh/"):
            self.renewals += 1
            assert json.loads(request.content) == {"refresh": PERSONAL}
            return httpx.Response(200, json={"access": jwt(token_type="access", exp=self.now + 300, n=self.renewals)})
        return httpx.Response(200, json={})

    def client(self, token: str) -> httpx.Client:
        auth = TokenAuth(BASE, token, clock=lambda: self.now)
        return httpx.Client(auth=auth, transport=httpx.MockTransport(self.answer))


PERSONAL = jwt(token_type="refresh", exp=8e9)


def test_a_legacy_token_is_sent_as_it_is() -> None:
    server = FakeLabelStudio()
    server.client("a" * 40).get(f"{BASE}/api/version")
    assert server.seen == [(f"{BASE}/api/version", "Token " + "a" * 40)]


def test_an_access_token_is_sent_as_bearer() -> None:
    server = FakeLabelStudio()
    token = jwt(token_type="access")
    server.client(token).get(f"{BASE}/api/version")
    assert server.seen == [(f"{BASE}/api/version", f"Bearer {token}")]


def test_a_personal_token_is_exchanged_and_renewed_before_the_access_token_ends() -> None:
    server = FakeLabelStudio()
    client = server.client(PERSONAL)
    for now in (1000, 1200, 1239):
        server.now = now
        client.get(f"{BASE}/api/x")
    assert server.renewals == 1
    server.now = 1241  # 59 seconds before the end
    client.get(f"{BASE}/api/x")
    assert server.renewals == 2
    assert server.seen[0][0] == f"{BASE}/api/token/refresh/"
    assert all(header is None or not header.endswith(PERSONAL) for _, header in server.seen)


def test_many_threads_share_one_renewal() -> None:
    server = FakeLabelStudio()
    client = server.client(PERSONAL)
    threads = [threading.Thread(target=client.get, args=(f"{BASE}/api/{n}",)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.renewals == 1
    assert len(server.seen) == 17


@pytest.mark.parametrize("token", ["a" * 40, PERSONAL])
@pytest.mark.parametrize("other", ["http://evil.example/x", "https://ls.example:8080/x", "http://ls.example:81/x"])
def test_no_other_host_gets_a_token(token: str, other: str) -> None:
    server = FakeLabelStudio()
    server.client(token).get(other)
    assert server.seen == [(other, None)]


@pytest.mark.parametrize(("status", "reason"), [(401, "revoked"), (404, "did not exchange"), (200, "did not exchange")])
def test_a_failed_exchange_is_named(status: int, reason: str) -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(status, text="nope"))
    client = httpx.Client(auth=TokenAuth(BASE, PERSONAL), transport=transport)
    with pytest.raises(Unauthorized, match=reason) as caught:
        client.get(f"{BASE}/api/x")
    assert caught.value.fix
