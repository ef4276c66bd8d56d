"""One contract for every place: a folder and a bucket."""

import threading
from pathlib import Path
from typing import Any

import pytest
from emulator import SECRET
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from backend.flows.image_stores import both_endpoints
from connectors.errors import ConnectorError, Refused, Unauthorized, Unreachable
from connectors.label_studio_s3 import place
from connectors.storage import Storage, in_parallel


@pytest.fixture(params=["folder", "bucket"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "folder":
        return Storage(str(tmp_path / "shared" / "deep"))
    return Storage(request.getfixturevalue("bucket") + "/some/prefix/")


def test_what_is_put_is_there_and_nothing_else(storage: Storage, tmp_path: Path) -> None:
    assert storage.sizes() == {}
    (tmp_path / "a").write_bytes(b"abc")
    storage.put(tmp_path / "a", "x/가 나#.bin")
    storage.write("top", b"12345")
    storage.write("top", b"123456")
    assert storage.sizes() == {"x/가 나#.bin": 3, "top": 6}
    assert (storage.size("top"), storage.size("x"), storage.size("none")) == (6, None, None)
    assert (storage.read("x/가 나#.bin"), storage.read("none")) == (b"abc", None)
    storage.get("x/가 나#.bin", tmp_path / "new" / "b")
    assert (tmp_path / "new" / "b").read_bytes() == b"abc"
    assert storage.below("x").sizes() == {"가 나#.bin": 3}
    with pytest.raises(ConnectorError):
        storage.get("none", tmp_path / "c")
    assert sorted(path.name for path in tmp_path.rglob("*.part")) == []
    storage.remove("top")
    storage.remove("top")
    assert storage.sizes() == {"x/가 나#.bin": 3}


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Refused, match="file"):
        Storage(str(tmp_path / "file")).write("x", b"")


def test_a_bucket_that_is_not_there_and_one_nobody_answers_for(
    bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(Refused, match="nowhere") as caught:
        Storage("s3://nowhere").write("x", b"")
    assert SECRET not in str(caught.value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(Unreachable) as caught:
        Storage(bucket).size("x")
    assert SECRET not in f"{caught.value} {caught.value.fix}"
    assert "AWS_ENDPOINT_URL" in str(caught.value.fix)


def test_without_keys_the_fix_says_what_to_set(bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with pytest.raises(Unauthorized) as caught:
        Storage(bucket).write("x", b"")
    assert "AWS_ACCESS_KEY_ID" in str(caught.value.fix)
    assert place(bucket).keys == {}


def test_addresses_never_hold_keys() -> None:
    with pytest.raises(Refused) as caught:
        Storage(f"s3://KEY:{SECRET}@bucket/prefix")
    assert SECRET not in str(caught.value) and "AWS_SECRET_ACCESS_KEY" in str(caught.value.fix)
    with pytest.raises(Refused, match="no protocol"):
        Storage("nothing://x")


def test_a_place_knows_the_endpoint_and_hides_the_keys(
    bucket: str, s3_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = place(bucket + "/a/b/")
    assert (where.prefix, where.endpoint, where.region) == ("a/b", s3_endpoint, "us-east-1")
    assert where.row()["aws_secret_access_key"] == SECRET and SECRET not in repr(where)
    assert place(bucket, "https://files.example.org").endpoint == "https://files.example.org"
    assert (place(bucket, "proxy").endpoint, place(bucket, "proxy").signed, where.signed) == (s3_endpoint, False, True)
    assert both_endpoints("s3://b/date=2026=http://h:9") == ("s3://b/date=2026", "http://h:9")
    assert both_endpoints("s3://b/p=proxy") == ("s3://b/p", "proxy")
    assert both_endpoints("s3://b/date=2026") == ("s3://b/date=2026", None)
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    assert place(bucket).endpoint is None


def test_work_in_parallel_keeps_order_and_stops_at_the_first_error() -> None:
    assert list(in_parallel(lambda n: n * n, range(100))) == [n * n for n in range(100)]
    begun = []

    def fail(number: int) -> int:
        begun.append(number)
        if number == 5:
            raise ValueError(number)
        return number

    with pytest.raises(ValueError, match="5"):
        list(in_parallel(fail, range(1000), threads=2))
    assert len(begun) < 20


def test_a_server_that_fails_now_and_then_is_asked_again(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every first request for an object is answered with 503, in the way of a server under load."""
    seen: set[tuple[str, str]] = set()
    inner = DomainDispatcherApplication(create_backend_app)

    def flaky(environ: Any, start: Any) -> Any:
        asked = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if asked in seen or environ["PATH_INFO"].count("/") < 2:
            return inner(environ, start)
        seen.add(asked)
        start("503 Slow Down", [("Content-Type", "application/xml")])
        return [b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"]

    server = make_server("127.0.0.1", 0, flaky, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")  # so that nobody but we try again
        storage = Storage(f"{bucket}/flaky")
        names = [f"n{number}" for number in range(8)]
        assert list(in_parallel(lambda name: storage.write(name, name.encode()), names)) == [None] * 8
        assert [storage.read(name) for name in names] == [name.encode() for name in names]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert len(seen) >= 16
