"""The main job, through the real command line and a real Label Studio."""

import json
import shutil
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest
from pycocotools.coco import COCO
from quick_cli import Running
from shell import Shell

from connectors.label_studio import LabelStudio
from connectors.label_studio_upload import ProjectContent

pytestmark = pytest.mark.e2e


@pytest.fixture
def shell(ls: LabelStudio, new_project: Callable[..., int], tmp_path: Path) -> Shell:
    """`new_project` deletes whatever projects the test makes."""
    return Shell(ls, tmp_path)


def some(data_dir: Path, name: str, count: int, target: Path) -> Path:
    """Copy the first photographs of a VOC set."""
    for part, suffix in (("JPEGImages", ".jpg"), ("Annotations", ".xml")):
        (target / part).mkdir(parents=True)
        for path in sorted((data_dir / name / part).glob(f"*{suffix}"))[:count]:
            shutil.copy(path, target / part)
    return target


def voc_boxes(folder: Path) -> dict[str, list[tuple[str, list[int]]]]:
    """Return the source annotations, read by hand: half-open boxes per file stem."""
    found = {}
    for path in (folder / "Annotations").glob("*.xml"):
        objects = []
        for node in ET.parse(path).getroot().iter("object"):
            box = [int(float(node.findtext(f"bndbox/{side}"))) for side in ("xmin", "ymin", "xmax", "ymax")]
            objects.append((node.findtext("name"), [max(box[0] - 1, 0), max(box[1] - 1, 0), box[2], box[3]]))
        found[path.stem] = objects
    return found


@pytest.mark.parametrize(("name", "labels"), [("raccoon", ["raccoon"]), ("bccd", ["WBC", "RBC", "Platelets"])])
def test_a_labelled_project_becomes_a_dataset_and_a_new_project(shell, ls, data_dir, tmp_path, name, labels):
    source = some(data_dir, name, 10, tmp_path / name)
    project = shell("import", source, "--new", f"{name} source")["project"]
    add_hard_tasks(ls, project)

    run = (
        "export",
        "--project",
        project,
        "--recipe",
        shell.recipe,
        "--out",
        tmp_path / "out",
        "--write-back",
        "Derived",
    )
    result = shell(*run)
    counts = result["counts"]
    assert counts["tasks"] == {
        "total": 14, "exported": 11, "background": 1, "labelled": 10, "skipped": 1, "unlabelled": 2,
    }  # fmt: skip
    assert counts["images"] == 11 + counts["variants"] and counts["variants"] > 0
    ledger = counts["ledger"]
    assert ledger["kept"] + ledger["clipped"] + ledger["dropped"] == ledger["regions"] > 0
    assert result["certificate"]["ok"] and not result["skipped"]

    folder = Path(result["out"])
    assert json.loads((folder / "dataset.json").read_text())["labels"] == labels
    check_originals(folder, voc_boxes(source))
    check_project(ls, result["write_back"]["project"], folder)

    again = shell(*run)
    assert again["state"] == "unchanged" and again["write_back"]["project"] == result["write_back"]["project"]
    assert len([p for p in ls.projects() if p.title.startswith("Derived")]) == 1


def add_hard_tasks(ls: LabelStudio, project: int) -> None:
    """Add two tasks without annotation, one skipped, and one submitted empty (background)."""
    url = next(iter(ls.tasks(project)))["data"]["image"]
    extra = [{"data": {"image": url, "name": f"extra-{i}"}} for i in range(4)]
    ProjectContent(ls, project).import_tasks([json.dumps(task).encode() for task in extra])
    ids = sorted(task["id"] for task in ls.tasks(project) if task["data"]["name"].startswith("extra"))
    ls.request("POST", f"api/tasks/{ids[0]}/annotations/", json={"result": [], "was_cancelled": True})
    ls.request("POST", f"api/tasks/{ids[1]}/annotations/", json={"result": []})


def check_originals(folder: Path, expected: dict[str, list[tuple[str, list[int]]]]) -> None:
    """Read COCO back with pycocotools and compare each original with its source XML."""
    seen = 0
    for split in ("train", "val"):
        coco = COCO(str(folder / "coco" / "annotations" / f"instances_{split}.json"))
        for image in coco.loadImgs(coco.getImgIds()):
            stem, _, number = image["file_name"].rpartition("_v")
            if not number.startswith("00") or stem not in expected:
                continue
            boxes = [
                (coco.loadCats(a["category_id"])[0]["name"], a["bbox"])
                for a in coco.loadAnns(coco.getAnnIds(image["id"]))
            ]
            assert len(boxes) == len(expected[stem])
            for (label, (x, y, w, h)), (wanted, box) in zip(boxes, expected[stem], strict=True):
                assert label == wanted
                assert [x, y, x + w, y + h] == pytest.approx(box, abs=0.01)
            seen += 1
    assert seen >= 9  # two tasks may show one photograph; its background twin has a name of its own


def check_project(ls: LabelStudio, project: int, folder: Path) -> None:
    """The new project holds exactly the dataset's images, with the manifest's boxes."""
    lines = {line["file"]: line for line in map(json.loads, (folder / "manifest.jsonl").read_text().splitlines())}
    tasks = list(ls.tasks(project))
    assert sorted(task["data"]["loom_file"] for task in tasks) == sorted(lines)
    for task in tasks:
        line = lines[task["data"]["loom_file"]]
        assert task["data"]["loom_split"] == line["split"] and task["data"]["loom_variant"] == line["variant"]
        (annotation,) = task["annotations"]
        assert annotation["ground_truth"] is False
        drawn = [r for r in annotation["result"] if r["type"] == "rectanglelabels"]
        assert len(drawn) == len(line["regions"])
        for region, meant in zip(drawn, line["regions"], strict=True):
            value, (x0, y0, x1, y1) = region["value"], meant["shape"]["xyxy"]
            pixels = [value["x"] * line["width"] / 100, value["y"] * line["height"] / 100]
            pixels += [
                pixels[0] + value["width"] * line["width"] / 100,
                pixels[1] + value["height"] * line["height"] / 100,
            ]
            assert pixels == pytest.approx([x0, y0, x1, y1], abs=0.01)


def test_rebuild_and_verify_of_an_export(shell, data_dir, tmp_path):
    project = shell("import", some(data_dir, "raccoon", 5, tmp_path / "r"), "--new", "Rebuild me")["project"]
    folder = Path(shell("export", "-p", project, "-r", shell.recipe, "-o", tmp_path / "out")["out"])
    shutil.rmtree(tmp_path / "r")
    assert shell("rebuild", folder / "manifest.jsonl", "--verify")["differences"] == []
    label = next((folder / "yolo" / "labels").rglob("*_v01.txt"))
    label.write_text("0 0.5 0.5 0.1 0.1\n")
    picture = next((folder / "voc" / "JPEGImages").glob("*_v00.jpg"))
    data = picture.read_bytes()
    picture.unlink()
    picture.write_bytes(data[:-2000] + data[-2:])
    differences = shell("rebuild", folder / "manifest.jsonl", "--verify", code=1)["differences"]
    assert len(differences) == 2 and label.name in " ".join(differences) and picture.name in " ".join(differences)
    assert not shell("verify", folder, code=1)["certificate"]["ok"]


def test_splits_stick_when_a_project_grows(shell, ls, data_dir, tmp_path):
    project = shell("import", some(data_dir, "raccoon", 8, tmp_path / "a"), "--new", "Growing")["project"]
    run = ("export", "-p", project, "-r", shell.recipe, "-o", tmp_path / "out")
    before = splits(Path(shell(*run, "--name", "v1")["out"]))
    shell("import", some(data_dir, "raccoon", 30, tmp_path / "b"), "-p", project)
    after = splits(Path(shell(*run, "--name", "v2")["out"]))
    assert len(after) > 20 and before.items() <= after.items()


def splits(folder: Path) -> dict[str, str]:
    lines = map(json.loads, (folder / "manifest.jsonl").read_text().splitlines())
    return {line["source"]["sha256"]: line["split"] for line in lines}


def test_every_edge_file_as_an_image_of_a_project(shell, ls, new_project, data_dir, tmp_path):
    project = new_project("edge")
    content = ProjectContent(ls, project)
    tasks = []
    for path in sorted((data_dir / "edge").iterdir()):
        name = (
            path.name if path.suffix != ".tiff" else path.name + ".jpg"
        )  # Label Studio refuses the suffix, not the bytes
        (number,) = content.upload([(name, path.read_bytes())])
        stored = content.paths([number])[number]
        region = {
            "id": "a", "from_name": "label", "to_name": "image", "type": "rectanglelabels",
            "value": {"x": 25, "y": 25, "width": 35, "height": 45, "rotation": 0, "rectanglelabels": ["cat"]},
        }  # fmt: skip
        data = {"image": f"/data/{stored}", "name": path.name}
        tasks.append({"data": data, "annotations": [{"result": [region], "ground_truth": False}]})
    content.import_tasks([json.dumps(task).encode() for task in tasks])

    result = shell("export", "-p", project, "-o", tmp_path / "out", "-f", "coco", code=3)
    bad = {item["item"]: item["reason"] for item in result["skipped"]}
    names = sorted(p.name for p in (data_dir / "edge").iterdir() if any(p.stem in item for item in bad))
    assert names and all(name.startswith("bad_") for name in names) and len(bad) == 8, bad
    assert any("before decoding" in reason for reason in bad.values())
    lines = [json.loads(line) for line in (Path(result["out"]) / "manifest.jsonl").read_text().splitlines()]
    assert len(lines) == len(tasks) - 8
    for line in lines:
        x0, y0, x1, y1 = line["regions"][0]["shape"]["xyxy"]
        w, h = line["width"], line["height"]
        assert [x0 / w, y0 / h, x1 / w, y1 / h] == pytest.approx(
            [0.25, 0.25, 0.6, 0.7], abs=1e-3 + 1e-4 * (1000 / min(w, h) > 50)
        )


@pytest.mark.slow
def test_killed_three_times_it_ends_with_one_project_and_the_same_dataset(shell, ls, data_dir, tmp_path):
    project = shell("import", some(data_dir, "raccoon", 30, tmp_path / "r"), "--new", "Killed")["project"]
    run = ("export", "-p", project, "-r", shell.recipe, "-o", tmp_path / "out", "--write-back", "Survivor")
    for moment in ("fetching", "augmenting", "writing back"):
        process = shell.start(*run)
        wait_for(moment, shell, ls, tmp_path / "out", process)
        process.kill()
        process.wait()

    result = shell(*run)
    folder = Path(result["out"])
    check_project(ls, result["write_back"]["project"], folder)
    assert len([p for p in ls.projects() if p.title.startswith("Survivor")]) == 1
    calm = shell("export", "-p", project, "-r", shell.recipe, "-o", tmp_path / "calm")
    assert tree(folder) == tree(Path(calm["out"]))


def wait_for(moment: str, shell: Shell, ls: LabelStudio, out: Path, process: Running) -> None:
    """Return once the export is in the middle of a phase."""

    def there() -> bool:
        if moment == "fetching":
            return len(list((shell.folder / "cache" / "sources").rglob("*"))) > 20
        if moment == "augmenting":
            return any((out / "e2e.partial" / ".work" / "done").glob("*.jsonl"))
        return any(p.title.startswith("Survivor") for p in ls.projects())

    deadline = time.monotonic() + 120
    while not there():
        assert process.poll() is None and time.monotonic() < deadline, (shell.folder / "started.log").read_text()
        time.sleep(0.02)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_bad_requests_are_named_and_touch_nothing(shell, new_project, tmp_path):
    out = tmp_path / "out"
    missing = shell("export", "-p", 999999, "-o", out, code=1)
    assert "999999" in missing["error"]
    unlabelled = new_project("unlabelled", tasks=[{"data": {"image": "/data/upload/1/x.jpg"}}])
    empty = shell("export", "-p", unlabelled, "-o", out, code=1)
    assert "has no task to export: 0 of 1 task: 1 unlabelled" in empty["error"]
    several = '<View><Image name="a" value="$a"/><Image name="b" value="$b"/></View>'
    assert "2 Image tags" in shell("export", "-p", new_project("two", several), "-o", out, code=2)["error"]
    wrong = shell("export", "-p", 1, "-o", out, code=1, LABEL_STUDIO_API_KEY="0" * 40)
    assert "0000" not in wrong["error"] and wrong["fix"]
    gone = shell("export", "-p", 1, "-o", out, code=1, LABEL_STUDIO_URL="http://localhost:9")
    assert "localhost:9" in gone["error"] and gone["fix"]
    assert not out.exists() or not any(out.iterdir())
