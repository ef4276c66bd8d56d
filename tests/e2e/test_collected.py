"""A collection becomes tasks, and what is owed for each image comes along through export and write-back."""

import base64
import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from collection_kit import BY_SA, EVIL, UNKNOWN, collection, photo
from shell import Shell

from backend.core.errors import LabelLoomError, UsageError
from backend.core.model import Sample
from backend.core.progress import Silent
from backend.core.recipe import parse_recipe
from backend.flows.augment import Options
from backend.flows.builder.pinned import manifest_dataset
from backend.flows.chosen import Chosen
from backend.flows.collect.attribution import owed_of_dataset
from backend.flows.collect.collection import Collection
from backend.flows.collect.known import known_of_project
from backend.flows.collect.publish import config_for, import_collection
from backend.flows.export import Target, export
from backend.formats.label_config import parse_label_config
from backend.settings import Settings
from connectors.label_studio import LabelStudio
from connectors.label_studio_server import LabelStudioServer

pytestmark = pytest.mark.e2e

RECIPE = {
    "name": "collected", "variants": 2, "split": {"train": 1.0, "val": 0.0, "test": 0.0, "near_duplicates": "off"},
    "steps": [{"HorizontalFlip": {"p": 0.5}}, {"RandomBrightnessContrast": {"p": 1.0}}],
    "output": {"formats": ["coco"]},
}  # fmt: skip


@pytest.fixture
def settings(ls: LabelStudio, new_project: Callable[..., int], tmp_path: Path) -> Settings:
    folders = {"data_dir": tmp_path / "data", "cache_dir": tmp_path / "cache"}
    return Settings(label_studio_url=ls.url, label_studio_api_key=ls.auth._token, **folders)


@pytest.fixture
def cats(tmp_path: Path) -> Collection:
    """Six images: two labels, one of unknown licence, two near-duplicates, one rejected by hand, one damaged since."""
    more: list[dict[str, Any]] = [
        {"group": "ab" * 6},
        {"group": "ab" * 6, "label": "개 & <b>"},
        {"license": UNKNOWN, "page_url": "javascript:alert(1)"},
        {"label": None},
        {},
        {},
    ]
    made = collection(
        tmp_path / "고양이 🐈", [(photo(n), fields) for n, fields in enumerate(more)], ("고양이", "개 & <b>")
    )
    lines = list(made.kept())
    made.reject([lines[4]["sha256"]])
    made.path(lines[5]).write_bytes(photo(77))
    return made


def test_from_a_collection_to_augmented_copies(ls: LabelStudio, settings: Settings, cats: Collection) -> None:
    tools = settings, Silent()
    report = import_collection(cats, None, "모은 고양이", tools, config="choices")
    assert (report.created, report.present) == (4, 0)
    assert [s.item for s in report.skipped] == ["rank 6 of openverse"]
    assert "changed since" in report.skipped[0].reason
    assert any(note.startswith("1 collected image has no known licence") for note in report.notes)
    repeat = import_collection(cats, None, "모은 고양이", tools, config="choices")
    assert (repeat.project_id, repeat.created, repeat.present) == (report.project_id, 0, 4)

    project = ls.project(report.project_id)
    assert parse_label_config(project.label_config).tags == ("고양이", "개 & <b>")
    tasks = list(ls.tasks(project.id))
    for task, line in zip(tasks, cats.kept(), strict=False):
        credit = task["meta"]["labelloom"]
        assert credit["title"] == EVIL  # as it came, and nowhere Label Studio shows it
        assert {key: credit[key] for key in ("url", "query", "rank", "source", "fetched_at", "license", "sha256",
                                             "phash")} == {key: line[key] for key in ("url", "query", "rank",
                "source", "fetched_at", "license", "sha256", "phash")}  # fmt: skip
        assert credit["creator"] == {"name": "김철수", "url": "https://me.example"}
        assert credit["opt_out"] == {"robots": "allowed"}
        assert EVIL not in json.dumps(task["data"], ensure_ascii=False)
    assert [t["data"].get("label") for t in tasks] == ["고양이", "개 & <b>", "고양이", None]
    assert [t["data"].get("license") for t in tasks] == ["CC-BY-SA-4.0", "CC-BY-SA-4.0", None, "CC-BY-SA-4.0"]
    assert "page_url" not in tasks[2]["data"]
    guesses = [[(p["model_version"], p["score"], p["result"][0]["value"]) for p in t["predictions"]] for t in tasks]
    assert guesses[:3] == [[("collected", None, {"choices": [name]})] for name in ("고양이", "개 & <b>", "고양이")]
    assert guesses[3] == []
    exported = ls.request("GET", f"api/projects/{project.id}/export", params={"download_all_tasks": "true"}).json()
    assert [t["meta"] for t in sorted(exported, key=lambda t: t["id"])] == [t["meta"] for t in tasks]

    for task in tasks:
        ls.request("POST", f"api/tasks/{task['id']}/annotations/", json={"result": []})
    made = export(project.id, parse_recipe(RECIPE), Chosen(), Options(workers=1), Target("모은 고양이 x3"), tools)
    assert [w for w in made.build.warnings if "licence" in w] == [
        "1 collected image has no known licence: unknown is not free (`labelloom attribution` lists them)"
    ]
    manifest = [json.loads(text) for text in (made.build.folder / "manifest.jsonl").read_text().splitlines()]
    assert len(manifest) == 12
    by_sha = {line["sha256"]: line for line in cats.kept()}
    for line in manifest:
        credit = line["source"]["credit"]
        assert credit["license"] == by_sha[line["source"]["sha256"]]["license"]
        assert credit["url"] == by_sha[line["source"]["sha256"]]["url"]
    families = {line["source"]["credit"]["rank"]: line["lineage"] for line in manifest}
    assert families[1] == families[2]
    assert len({*families.values()}) == 3
    coco = json.loads((made.build.folder / "coco/annotations/instances_train.json").read_text())
    assert coco["licenses"] == [{"id": 1, "name": "CC-BY-SA-4.0", "url": BY_SA["url"]}]
    assert sorted(str(image.get("license")) for image in coco["images"]) == ["1"] * 9 + ["None"] * 3

    (first, *_) = listed = list(owed_of_dataset(made.build.folder))
    assert ([one.images for one in listed], {one.credit.creator for one in listed if one.credit}) == (
        [3] * 4,
        {"김철수"},
    )
    assert first.credit
    again = next(iter(manifest_dataset(made.build.folder, lambda _sha, _source: Path("x.jpg")).samples))
    assert isinstance(again, Sample)
    assert again.origin.credit == first.credit  # a rebuilt dataset says the same

    assert made.written is not None
    written = list(ls.tasks(made.written.project_id))
    credits = {line["file"]: line["source"]["credit"] for line in manifest}
    assert {t["data"]["loom_file"]: t["meta"]["labelloom"] for t in written} == credits


def test_attribution_on_the_command_line(shell: Shell, settings: Settings, cats: Collection, tmp_path: Path) -> None:
    report = import_collection(cats, None, "출처 시험", (settings, Silent()))
    out = tmp_path / "출처.csv"
    found = shell("attribution", "--project", report.project_id, "-o", out)
    assert (found["counts"]["listed"], found["counts"]["unknown"], found["counts"]["nc"]) == (4, 1, 0)
    assert "1 image with an unknown licence" in found["warnings"][0]
    with out.open(encoding="utf-8-sig") as stream:
        assert [row["creator"] for row in csv.DictReader(stream)] == ["김철수"] * 4
    shell("attribution", cats.folder, "-o", tmp_path / "c.html")
    assert "<img" not in (tmp_path / "c.html").read_text()
    assert "neither a collection nor a dataset" in shell("attribution", "없음", code=2)["error"]


@pytest.fixture
def shell(ls: LabelStudio, tmp_path: Path) -> Shell:
    return Shell(ls, tmp_path)


class Counting(Silent):
    def __init__(self) -> None:
        self.phases: list[str] = []

    def update(self, phase: str, done: int, total: int | None = None) -> None:
        self.phases.append(phase)


def test_what_a_project_has_already_is_not_brought_again(
    ls: LabelStudio, new_project: Callable[..., int], settings: Settings, cats: Collection, tmp_path: Path
) -> None:
    lines = list(cats.kept())[:4]
    pictures = ["data:image/jpeg;base64," + base64.b64encode(cats.path(one).read_bytes()).decode() for one in lines]
    project = new_project("이미 있는 것", config_for("bbox", ("고양이",)), [{"data": {"image": p}} for p in pictures])
    ls.request("POST", f"api/projects/{project}/import", json=[{"data": {"image": "http://127.0.0.1:9/none.jpg"}}])
    report = import_collection(cats, project, None, (settings, Silent()))
    assert (report.created, report.present) == (0, 4)
    assert any(note.startswith("1 image of project") for note in report.notes)

    found = list(known_of_project(ls, project, settings, Silent()))
    assert {one.sha256 for one in found} == {one["sha256"] for one in lines}
    for one in (settings.cache_dir / "sources").rglob("*"):
        if one.is_file():
            one.write_bytes(b"not looked at again")
    book = next((settings.cache_dir / "fingerprints").iterdir())
    with book.open("ab") as stream:
        stream.write(b'{"image": "torn')
    assert list(known_of_project(ls, project, settings, Silent())) == found
    only = collection(tmp_path / "c2", [(photo(50), {})], ("고양이",))
    assert import_collection(only, project, None, (settings, Silent())).created == 1
    own = [one for one in known_of_project(ls, project, settings, Silent()) if one not in found]
    (line,) = only.kept()
    assert [(one.sha256, one.pixels, one.phash) for one in own] == [
        (line["sha256"], line["pixels"], int(line["phash"], 16))
    ]
    assert list(known_of_project(ls, project, settings, Silent(), recorded=False)) == found


def test_wishes_that_cannot_be_met_touch_nothing(ls: LabelStudio, settings: Settings, tmp_path: Path) -> None:
    empty = collection(tmp_path / "empty", [], ("고양이",))
    tools = settings, Silent()
    before = [p.id for p in ls.projects()]
    with pytest.raises(UsageError, match="no accepted image"):
        import_collection(empty, None, "비어 있음", tools)
    full = collection(tmp_path / "full", [(photo(1), {"label": None})], ("고양이",))
    for arguments, reason in (
        ((None, None), "say where"), ((1, "both"), "say where"), ((None, "ab"), "3 to 50 characters"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=reason):
            import_collection(full, *arguments, tools)
    with pytest.raises(UsageError, match="config is bbox"):
        import_collection(full, None, "그림들", tools, config="voxel")
    with pytest.raises(UsageError, match="needs labels"):
        config_for("choices", ())
    with pytest.raises(LabelLoomError, match="no project 999999"):
        import_collection(full, 999999, None, tools)
    assert [p.id for p in ls.projects()] == before


@pytest.mark.parametrize("kind", ["bbox", "polygon", "choices"])
def test_shipped_configs_take_the_labels(kind: str) -> None:
    config = parse_label_config(config_for(kind, ("고양이", "<&>\"'")))
    assert (config.labels or config.tags) == ("고양이", "<&>\"'")
    assert all(control.labels == ("고양이", "<&>\"'") for control in config.controls)


class StopServer(Silent):
    """Stops the server when the first images were sent."""

    def __init__(self, server: LabelStudioServer) -> None:
        self.server = server

    def update(self, phase: str, done: int, total: int | None = None) -> None:
        self.server.stop()


@pytest.mark.slow
def test_it_goes_on_when_label_studio_is_back(
    ls: LabelStudio, ls_server: LabelStudioServer, settings: Settings, tmp_path: Path
) -> None:
    many = collection(tmp_path / "많이", [(photo(n, (40, 32)), {}) for n in range(60)], ("고양이",))
    account = ls_server.account
    try:
        with pytest.raises(LabelLoomError, match="cannot be reached") as caught:
            import_collection(many, None, "끊긴 것", (settings, StopServer(ls_server)))
        assert caught.value.fix
    finally:
        assert ls_server.start(print) == account
    report = import_collection(many, None, "끊긴 것", (settings, Silent()))
    assert (report.created, report.present) == (60, 0)
    assert len([p for p in ls.projects() if p.title.startswith("끊긴 것")]) == 1
    assert len({t["meta"]["labelloom"]["sha256"] for t in ls.tasks(report.project_id)}) == 60
