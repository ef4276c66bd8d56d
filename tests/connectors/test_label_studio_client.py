"""The check names each failure with its fix; reads are tried again, writes never are."""

from collections.abc import Callable

import httpx
import pytest

from connectors.errors import NotLabelStudio, ServerFailed, TooOld, Unauthorized, Unreachable
from connectors.label_studio import LabelStudio


def connect(answer: Callable[[httpx.Request], httpx.Response], url: str = "http://ls.example:8080") -> LabelStudio:
    return LabelStudio(url, "t" * 40, client=httpx.Client(transport=httpx.MockTransport(answer)))


def version(release: str) -> Callable[[httpx.Request], httpx.Response]:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/version":
            assert "Authorization" not in request.headers
            return httpx.Response(200, json={"release": release})
        return httpx.Response(200, json={"id": 4, "email": "a@b.c"})

    return answer


def test_a_good_one_is_described() -> None:
    info = connect(version("1.23.2")).check()
    assert (info.version, info.user_id, info.email) == ("1.23.2", 4, "a@b.c")
    assert connect(version("2.0.0rc1")).check().version == "2.0.0rc1"


def test_an_old_one_is_refused() -> None:
    with pytest.raises(TooOld, match=r"is 1\.7\.3; 1\.20 or newer") as caught:
        connect(version("1.7.3")).check()
    assert caught.value.fix is not None
    assert "Upgrade" in caught.value.fix


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="<html>my blog</html>"),
        httpx.Response(200, json=["no", "release"]),
        httpx.Response(200, json={"release": "none"}),
        httpx.Response(404, text="nothing here"),
        httpx.Response(301, headers={"location": "https://ls.example/"}),
    ],
)
def test_what_is_not_label_studio_is_named(answer: httpx.Response) -> None:
    with pytest.raises(NotLabelStudio) as caught:
        connect(lambda request: answer).check()
    assert caught.value.fix


@pytest.mark.parametrize("url", ["", "localhost:8080", "ftp://x", "http://", "http://[::1"])
def test_what_is_no_address_is_named(url: str) -> None:
    with pytest.raises(Unreachable, match="is not an address"):
        LabelStudio(url, "t")


def test_legacy_tokens_switched_off_is_told_apart_from_a_wrong_token() -> None:
    detail = "Authentication token no longer valid: legacy token authentication has been disabled for this organization"

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/version":
            return httpx.Response(200, json={"release": "1.23.2"})
        return httpx.Response(401, json={"detail": detail})

    with pytest.raises(Unauthorized, match="legacy tokens switched off") as caught:
        connect(answer).check()
    assert caught.value.fix is not None
    assert "personal access token" in caught.value.fix


def test_reads_are_tried_again_and_writes_are_not() -> None:
    calls: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        calls.append(request.method)
        return httpx.Response(503 if len(calls) < 3 else 200, json={"detail": "busy"})

    assert connect(answer).request("GET", "api/x").status_code == 200
    assert calls == ["GET"] * 3
    calls.clear()
    with pytest.raises(ServerFailed, match=r"HTTP 503.: busy"):
        connect(answer).request("POST", "api/x")
    assert calls == ["POST"]


def test_the_sdk_does_not_send_a_post_twice_either() -> None:
    calls: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        calls.append(f"{request.method} {request.headers['Authorization']}")
        return httpx.Response(500, json={"detail": "broken"})

    with pytest.raises(ServerFailed, match="broken"):
        connect(answer).create_project("title", "", "<View/>")
    assert calls == ["POST Token " + "t" * 40]
