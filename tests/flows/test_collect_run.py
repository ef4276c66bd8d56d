"""The engine of collecting: n kept images in rank order, resumable, each address asked for once, a reason for each."""

import json
from pathlib import Path

import pytest

from backend.flows.collect.collection import open_collection
from tests.fakes.image_host import ImageHost, Reply
from tests.fakes.pictures import jpeg
from tests.flows.collect_kit import Made, offers, put, run, spec


@pytest.fixture
def host():
    """A host with pictures at /0.jpg ... /59.jpg, all different."""
    with ImageHost({f"/{n}.jpg": Reply(jpeg(n)) for n in range(60)}) as serving:
        yield serving


def images(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "images").rglob("*") if path.is_file())


def lines(folder: Path) -> list[dict]:
    return [json.loads(text) for text in (folder / "manifest.jsonl").read_text().splitlines()]


def test_exactly_n_are_kept_from_the_top_and_no_more_are_asked_for_than_needed(host, tmp_path, monkeypatch) -> None:
    host.replies["/1.jpg"] = Reply(status=404)
    host.replies["/3.jpg"] = Reply(jpeg(3)[:-400])
    made = Made(lambda _: offers(host.url(f"/{n}.jpg") for n in range(60)))
    put(monkeypatch, made)
    report = run(spec(10), tmp_path / "c", tmp_path)
    assert (report.state, report.exit_code, report.counts["kept"]) == ("finished", 0, 10)
    kept = [line["rank"] for line in lines(tmp_path / "c") if line["state"] == "kept"]
    assert kept == [1, 3, 5, 6, 7, 8, 9, 10, 11, 12]
    assert {(line["rank"], line["reason"]["code"]) for line in lines(tmp_path / "c") if line["reason"]} == {
        (2, "http-404"), (4, "truncated")}  # fmt: skip
    assert len(images(tmp_path / "c")) == 10
    assert made.offered <= 10 + 4 + 2
