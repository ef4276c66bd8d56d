"""The engine: n kept images in rank order, each address asked for once, a reason for each one left out."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from backend.core.errors import Cancelled, UsageError
from backend.flows.collect.again import ask_again
from backend.flows.collect.collection import list_collections, open_collection
from backend.flows.collect.folders import to_folders
from backend.flows.collect.spec import LabelSpec
from connectors.sources.base import License, Ready, SourceFault
from tests.fakes.image_host import ImageHost, Reply
from tests.fakes.pictures import encoded, jpeg, scene
from tests.flows.collect_kit import Made, images, lines, offers, put, run, settings, spec

BY, UNKNOWN = License("by 4.0", "CC-BY-4.0", None, "api"), License()


@pytest.fixture
def host():
    """A host with pictures at /0.jpg ... /39.jpg, all different."""
    with ImageHost({f"/{n}.jpg": Reply(jpeg(n)) for n in range(40)}) as serving:
        yield serving


@pytest.fixture
def all_of(host, monkeypatch):
    """The source that offers them all."""
    made = Made(lambda text: offers((host.url(f"/{n}.jpg") for n in range(40)), text))
    put(monkeypatch, made)
    return made


def codes(folder: Path) -> dict[int, str]:
    return {line["rank"]: line["reason"]["code"] for line in lines(folder) if line["reason"]}


def test_exactly_n_are_kept_from_the_top_and_no_more_are_asked_for_than_needed(host, all_of, tmp_path) -> None:
    host.replies["/1.jpg"] = Reply(status=404)
    host.replies["/3.jpg"] = Reply(jpeg(3)[:-400])
    report = run(spec(10), tmp_path / "c", tmp_path)
    assert (report.state, report.exit_code, report.counts["kept"]) == ("finished", 0, 10)
    kept = [line["rank"] for line in lines(tmp_path / "c") if line["state"] == "kept"]
    assert kept == [1, 3, 5, 6, 7, 8, 9, 10, 11, 12]
    assert codes(tmp_path / "c") == {2: "http-404", 4: "truncated"}
    assert len(images(tmp_path / "c")) == 10
    assert all_of.offered <= 10 + 4 + 2


def test_a_line_tells_all_and_the_file_is_named_by_its_content(host, all_of, tmp_path) -> None:
    run(spec(1), tmp_path / "c", tmp_path)
    line = lines(tmp_path / "c")[0]
    assert line["schema"] == "labelloom.collect/1" and line["label"] == "고양이" and line["query"] == "고양이 사진"
    assert line["license"] == {"raw": None, "spdx": None, "url": None, "confidence": "unknown"}
    assert line["file"] == f"images/{line['sha256'][:2]}/{line['sha256']}.jpg"
    assert (tmp_path / "c" / line["file"]).read_bytes() == jpeg(0) and line["sha256"] == line["original_sha256"]
    assert (line["width"], line["height"], line["format"], line["changes"]) == (96, 64, "jpeg", [])
    assert line["opt_out"]["robots"] == "ignored" and line["headers"]["content-type"] == "image/jpeg"


def test_a_finished_collection_asks_nothing_and_downloads_nothing(host, all_of, tmp_path) -> None:
    run(spec(5), tmp_path / "c", tmp_path)
    before, asked = (tmp_path / "c" / "manifest.jsonl").read_bytes(), len(host.asked)
    all_of.asked.clear()
    report = run(spec(5), tmp_path / "c", tmp_path, known=pytest.fail)  # nor is the project asked what it has
    assert (report.state, report.exit_code, report.counts["new"], report.counts["kept"]) == ("finished", 0, 0, 5)
    assert not all_of.asked and len(host.asked) == asked
    assert (tmp_path / "c" / "manifest.jsonl").read_bytes() == before


def test_more_can_be_asked_for_later_and_nothing_is_fetched_twice(host, all_of, tmp_path) -> None:
    run(spec(5), tmp_path / "c", tmp_path)
    report = run(spec(12), tmp_path / "c", tmp_path)
    assert (report.counts["kept"], report.counts["new"]) == (12, 7)
    ranks = [line["rank"] for line in lines(tmp_path / "c")]
    assert ranks == list(range(1, 13)) and max(host.counts[f"/{n}.jpg"] for n in range(5)) == 1


class Stopping:
    """Progress of a user who wants to stop after some images."""

    def __init__(self, after: int) -> None:
        self.after = after

    def update(self, phase: str, done: int, total: int | None = None) -> None:
        if done >= self.after:
            msg = "stopped"
            raise Cancelled(msg)


def test_stopped_in_the_middle_it_goes_on_and_the_result_is_the_same(host, all_of, tmp_path) -> None:
    host.latency = 0.01
    what = replace(spec(20), fetch=replace(spec().fetch, connections=3))
    with pytest.raises(Cancelled):
        run(what, tmp_path / "c", tmp_path, progress=Stopping(5))
    assert open_collection(tmp_path / "c").state == "stopped"
    decided = {line["url"] for line in lines(tmp_path / "c")}
    assert 5 <= len(decided) < 20 and not (tmp_path / "c/images/.incoming").exists()
    seen = len(host.asked)
    run(what, tmp_path / "c", tmp_path)
    assert not {host.url(one.path) for one in host.asked[seen:]} & decided
    run(what, tmp_path / "calm", tmp_path)
    assert images(tmp_path / "c") == images(tmp_path / "calm")


def test_too_few_results_are_said_and_not_looked_for_again(host, tmp_path, monkeypatch) -> None:
    made = Made(lambda _: offers([host.url("/0.jpg"), host.url("/none.jpg")]))
    put(monkeypatch, made)
    report = run(spec(5), tmp_path / "c", tmp_path)
    assert (report.state, report.exit_code) == ("short", 3)
    assert "1 of 5 kept, there are no more results (offered: made 2)" in report.warnings[-1]
    run(spec(5), tmp_path / "c", tmp_path)
    assert len(made.asked) == 1


@pytest.mark.parametrize("error", [SourceFault("layout_changed", "the page is new", fix="wait"), KeyError("items")])
def test_a_source_that_breaks_in_the_middle_loses_nothing_and_is_asked_again(
    host, tmp_path, monkeypatch, error
) -> None:
    broken = [True]

    def offered(text: str):
        yield from offers([host.url("/0.jpg"), host.url("/1.jpg")], text)
        if broken:
            raise error
        yield from offers([host.url("/2.jpg")], text)

    put(monkeypatch, Made(offered))
    report = run(spec(3), tmp_path / "c", tmp_path)
    assert (report.state, report.exit_code, report.counts["kept"]) == ("short", 3, 2)
    assert "made, '고양이 사진'" in report.warnings[0] and "a source failed" in report.warnings[1]
    broken.clear()
    assert run(spec(3), tmp_path / "c", tmp_path).state == "finished"


def test_keywords_take_turns_and_sources_follow_one_another(host, tmp_path, monkeypatch) -> None:
    one = Made(lambda text: offers((host.url(f"/{n + 10 * (text == 'b')}.jpg") for n in range(2)), text))
    two = Made(lambda text: offers([host.url("/30.jpg")], text, "zwei"), name="zwei")
    put(monkeypatch, one, two)
    run(spec(None, LabelSpec("개 🐶", ("a", "b")), sources=("made", "zwei")), tmp_path / "c", tmp_path)
    assert [(line["source"], line["query"], line["rank"]) for line in lines(tmp_path / "c")] == [
        ("made", "a", 1), ("made", "b", 1), ("made", "a", 2), ("made", "b", 2),
        ("zwei", "a", 1), ("zwei", "b", 1)]  # fmt: skip
    assert lines(tmp_path / "c")[-1]["reason"] == {"code": "duplicate", "detail": "the same address came before"}


def test_licences_are_judged_before_anything_is_fetched_and_unknown_is_not_free(host, tmp_path, monkeypatch) -> None:
    both = [*offers([host.url("/0.jpg")], license=BY), *offers([host.url("/1.jpg")], license=UNKNOWN)]
    made = Made(lambda _: both, licensed=True)
    put(monkeypatch, made)
    report = run(spec(None, licenses=frozenset({"by", "cc0"})), tmp_path / "c", tmp_path)
    assert report.counts["kept"] == 1 and report.counts["rejected"] == {"licence": 1}
    assert not host.counts["/1.jpg"] and made.asked[0].licenses == {"by", "cc0"}
    assert lines(tmp_path / "c")[1]["reason"]["detail"] == "its licence is unknown"
    put(monkeypatch, Made(lambda _: both, licensed=False))
    with pytest.raises(UsageError, match="made knows no licences"):
        run(spec(None, licenses=frozenset({"by"})), tmp_path / "d", tmp_path)


def test_an_address_is_fetched_once_whatever_label_it_comes_under(host, all_of, tmp_path) -> None:
    host.replies["/1.jpg"] = Reply(status=410)
    labels = (LabelSpec("개", ("dog",)), LabelSpec("늑대", ("wolf",)))
    report = run(spec(3, *labels), tmp_path / "c", tmp_path)
    assert [(label["label"], label["kept"]) for label in report.labels] == [("개", 3), ("늑대", 3)]
    assert [host.counts[f"/{n}.jpg"] for n in range(4)] == [1, 1, 1, 1]  # the first label decided these
    wolf = [line["reason"]["code"] for line in lines(tmp_path / "c") if line["label"] == "늑대" and line["reason"]]
    assert wolf == ["duplicate", "http-410", "duplicate", "duplicate"]


def test_what_was_rejected_by_hand_is_replaced_and_does_not_come_back(host, all_of, tmp_path) -> None:
    run(spec(3), tmp_path / "c", tmp_path)
    collection = open_collection(tmp_path / "c")
    first = next(collection.kept())["sha256"]
    assert collection.reject([first]) == 1 and collection.counts()["rejected_by_hand"] == 1
    host.replies["/3.jpg"] = Reply(jpeg(0))
    report = run(spec(3), tmp_path / "c", tmp_path)
    assert [line["rank"] for line in open_collection(tmp_path / "c").kept()] == [2, 3, 5]
    assert report.counts["kept"] == 3 and codes(tmp_path / "c") == {4: "rejected-before"}
    assert collection.restore([first]) == 1 and len(list(collection.kept())) == 4
    with pytest.raises(UsageError, match="has kept no image"):
        collection.reject(["00"])


def test_a_count_beyond_the_reach_of_the_source_is_said_beforehand(host, tmp_path, monkeypatch) -> None:
    put(monkeypatch, Made(lambda _: offers([host.url("/0.jpg")]), reach=1100))
    said: list[str] = []
    report = run(spec(5000), tmp_path / "c", tmp_path, tell=said.append)
    assert "5,000 images are asked for, but made will serve at most 1,100 results" in said[0]
    assert said[0] in report.warnings and report.exit_code == 3


def test_a_source_that_is_not_ready_or_unknown_is_refused_before_anything_is_made(tmp_path, monkeypatch) -> None:
    put(monkeypatch, Made(lambda _: [], ready=lambda access: Ready(False, "no key", "get one")))
    with pytest.raises(UsageError, match="made cannot be used: no key") as caught:
        run(spec(1), tmp_path / "c", tmp_path)
    assert caught.value.fix == "get one"
    with pytest.raises(UsageError, match="no source 'nowhere'"):
        run(spec(1, sources=("nowhere",)), tmp_path / "c", tmp_path)
    assert not (tmp_path / "c").exists()


def test_another_kind_of_folder_or_other_rules_are_refused(host, all_of, tmp_path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "diary.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"not empty and holds no collection \(diary.txt\)"):
        run(spec(1), tmp_path / "full", tmp_path)
    run(spec(1), tmp_path / "c", tmp_path)
    with pytest.raises(UsageError, match="was collected with near = skip, now it is keep"):
        run(spec(1, near="keep"), tmp_path / "c", tmp_path)


def test_no_list_may_name_a_file_of_ours_but_a_folder_may_be_read(tmp_path, monkeypatch) -> None:
    inside = tmp_path / "사진 1.png"
    inside.write_bytes(encoded(scene(1), "PNG"))
    put(monkeypatch, Made(lambda _: offers([inside.as_uri()]), takes="list"))
    assert run(spec(), tmp_path / "c", tmp_path).counts["rejected"] == {"bad-url": 1}
    put(monkeypatch, Made(lambda _: offers([inside.as_uri(), (tmp_path / "x").as_uri()], label="sky"), takes="folder"))
    report = run(spec(None, LabelSpec(None, ("f",))), tmp_path / "d", tmp_path)
    assert report.counts["kept"] == 1 and report.counts["rejected"] == {"unreadable": 1} and report.exit_code == 3
    assert lines(tmp_path / "d")[0]["label"] == "sky" and not run(
        spec(None, LabelSpec(None, ("f",))), tmp_path / "d", tmp_path).counts["new"]  # fmt: skip


def test_one_folder_for_each_label_with_safe_names(host, all_of, tmp_path) -> None:
    labels = (LabelSpec("a/b: 고양이 🐈", ("x",)), LabelSpec("a_b__고양이_🐈", ("y",)), LabelSpec("../up", ("z",)))
    run(spec(2, *labels), tmp_path / "c", tmp_path)
    made = to_folders(open_collection(tmp_path / "c"), tmp_path / "out")
    assert to_folders(open_collection(tmp_path / "c"), tmp_path / "out") == made
    found = {path.relative_to(tmp_path / "out").parts[0] for path in (tmp_path / "out").rglob("*.jpg")}
    assert len(made) == 3 and sum(made.values()) == 6 and found == set(made)
    assert all("/" not in name and not name.startswith(".") for name in made)
    assert len({name.lower() for name in made}) == 3


def test_collections_of_the_data_folder_are_listed_newest_first(host, all_of, tmp_path) -> None:
    config = settings(tmp_path)
    for name in ("하나", "둘"):
        run(spec(1), config.collections_dir / name, tmp_path)
        path = config.collections_dir / name / "collection.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"created_at": f"2026-11-2{len(name)}T00:00:00Z"}))
    (config.collections_dir / "other").mkdir()
    (config.collections_dir / "other" / "collection.json").write_text("{}")
    assert [one.name for one in list_collections(config)] == ["하나", "둘"]


def test_what_failed_for_a_passing_reason_is_asked_for_again_only_when_wanted(host, all_of, tmp_path) -> None:
    folder = tmp_path / "c"
    host.replies |= {"/1.jpg": Reply(status=404), "/2.jpg": Reply(status=503), "/3.jpg": Reply(jpeg(3)[:-400])}
    assert run(spec(), folder, tmp_path).counts["rejected"] == {"http-404": 1, "http-503": 1, "truncated": 1}
    for path in ("/1.jpg", "/2.jpg", "/3.jpg"):
        host.replies[path] = Reply(jpeg(int(path[1])))
    assert run(spec(), folder, tmp_path).counts["new"] == 0

    assert ask_again(folder) == 1
    report = run(spec(), folder, tmp_path)
    assert report.counts["new"] == 1 and report.counts["rejected"] == {"http-404": 1, "truncated": 1}
    assert (report.counts["kept"], report.counts["found"], len(lines(folder))) == (38, 40, 40)
    assert ask_again(folder) == 0 and ask_again(tmp_path / "none") == 0


def test_a_folder_of_other_keywords_is_refused_and_more_labels_are_welcome(host, all_of, tmp_path) -> None:
    folder = tmp_path / "c"
    run(spec(2), folder, tmp_path)
    with pytest.raises(UsageError, match="고양이 사진"):
        run(spec(2, LabelSpec("고양이", ("강아지",))), folder, tmp_path)
    assert {line["query"] for line in lines(folder)} == {"고양이 사진"}
    more = spec(2, LabelSpec("고양이", ("고양이 사진",)), LabelSpec("개", ("개",)))
    assert run(more, folder, tmp_path).counts["kept"] == 4


def test_an_image_whose_file_is_gone_is_fetched_again(host, all_of, tmp_path) -> None:
    folder = tmp_path / "c"
    run(spec(3), folder, tmp_path)
    before = images(folder)
    next((folder / "images").glob("*/*.jpg")).unlink()
    told: list[str] = []
    report = run(spec(3), folder, tmp_path, tell=told.append)
    assert (report.counts["kept"], report.counts["new"], images(folder)) == (3, 1, before)
    assert any("fetched again" in text for text in told)


def test_a_finished_collection_needs_its_source_no_more_and_a_list_may_grow(
    host, all_of, tmp_path, monkeypatch
) -> None:
    run(spec(2), tmp_path / "c", tmp_path)
    put(monkeypatch, Made(lambda text: (), ready=lambda access: Ready(False, "no key")))
    assert run(spec(2), tmp_path / "c", tmp_path).counts["kept"] == 2
    with pytest.raises(UsageError, match="no key"):
        run(spec(2), tmp_path / "d", tmp_path)
    assert not (tmp_path / "d").exists()

    found = [host.url("/0.jpg")]
    put(monkeypatch, Made(lambda text: offers(found), takes="list"))
    assert run(spec(), tmp_path / "e", tmp_path).counts["kept"] == 1
    found.append(host.url("/1.jpg").replace("//", "//kim:secret@"))
    found.append(host.url("/2.jpg"))
    assert run(spec(), tmp_path / "e", tmp_path).counts == {
        "found": 3, "fetched": 1, "kept": 2, "new": 1, "rejected": {"bad-url": 1},
    }  # fmt: skip
    assert "secret" not in (tmp_path / "e" / "manifest.jsonl").read_text()
