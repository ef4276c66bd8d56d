"""The command line as people and scripts meet it: help, exit codes, one JSON object, errors that say the fix."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from backend.cli import app
from backend.settings import load_settings

LABELLOOM = Path(sys.executable).with_name("labelloom")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A YOLO dataset of six pictures, Korean and spaces in its names."""
    folder = tmp_path / "사진 모음"
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    for number in range(6):
        picture = np.random.default_rng(number).integers(0, 255, (64, 80, 3), dtype=np.uint8)
        stem = f"너구리 {number}"
        (folder / "images" / f"{stem}.jpg").write_bytes(cv2.imencode(".jpg", picture)[1].tobytes())
        (folder / "labels" / f"{stem}.txt").write_text("0 0.5 0.5 0.4 0.4\n")
    (folder / "data.yaml").write_text("train: images\nnames: [너구리]\n", encoding="utf-8")
    return folder


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run a command in this process; returns (exit code, stdout, stderr)."""
    monkeypatch.setenv("LABELLOOM_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("LABELLOOM_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("LABEL_STUDIO_URL", raising=False)
    monkeypatch.delenv("LABEL_STUDIO_API_KEY", raising=False)

    def run(*arguments: object) -> tuple[int, str, str]:
        result = CliRunner().invoke(app, [str(a) for a in arguments])
        return result.exit_code, result.stdout, result.stderr

    return run


def test_every_command_has_help_with_an_example(cli):
    _, top, _ = cli("--help")
    commands = ["augment", "export", "import", "preview", "convert", "verify", "rebuild"]
    for command in [*commands, "up", "demo", "doctor", "recipes", "recipe", "datasets"]:
        assert command in top
        code, text, _ = cli(command, "--help")
        assert code == 0
        assert command not in commands or "Example" in text, command


def test_help_tells_the_exit_codes(cli):
    for command in ([], ["augment"], ["export"], ["import"], ["preview"], ["convert"]):
        text = " ".join(cli(*command, "--help")[1].split())
        assert "3 finished, but some images, tasks or variants were left out" in text, command


def test_help_needs_no_heavy_library():
    heavy = "('albumentations', 'cv2', 'label_studio_sdk', 'sqlalchemy', 'numpy')"
    program = f"import sys, backend.cli; print([m for m in {heavy} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_augment_verify_convert_and_preview_with_korean_names(cli, photos, tmp_path):
    code, out, err = cli(
        "augment", photos, "-r", "gentle", "-o", tmp_path / "출력", "-f", "yolo", "-f", "coco", "-w", 1, "--json"
    )
    assert code == 0, err
    result = json.loads(out)
    assert set(result) >= {"ok", "command", "out", "counts", "skipped", "warnings", "seconds"}
    assert result["ok"] and result["counts"]["regions"]["너구리"] == result["counts"]["images"]
    folder = Path(result["out"])
    assert (folder / "README.md").read_text(encoding="utf-8").startswith("# gentle")
    assert cli("verify", folder)[0] == 0
    assert cli("convert", folder, tmp_path / "voc", "--to", "voc")[0] == 0
    assert cli("preview", photos, "-r", "gentle", "-o", tmp_path / "sheet.png", "--images", 2, "--variants", 1)[0] == 0
    assert cv2.imread(str(tmp_path / "sheet.png")).shape[1] > 400
    code, out, _ = cli("datasets", "list", "--json")
    assert [d["path"] for d in json.loads(out)["datasets"]] == [str(folder)]
    assert cli("datasets", "rm", "gentle", "--yes")[0] == 0
    assert not folder.exists()


def test_rebuild_elsewhere_is_the_same(cli, photos, tmp_path):
    cli("augment", photos, "-r", "gentle", "-o", tmp_path / "a", "-w", 1)
    manifest = tmp_path / "a" / "gentle" / "manifest.jsonl"
    assert cli("rebuild", manifest)[0] == 2  # neither --out nor --verify
    assert cli("rebuild", manifest, "-o", tmp_path / "a")[0] == 2  # onto itself
    code, _, err = cli("rebuild", manifest, "-o", tmp_path / "b", "-w", 1)
    assert code == 0, err
    left, right = (
        {p.relative_to(d): p.read_bytes() for p in d.rglob("*") if p.is_file()}
        for d in (tmp_path / "a", tmp_path / "b")
    )
    assert left == right


def test_a_rebuild_for_comparison_leaves_no_trace_and_tells_records_from_images(cli, photos, tmp_path):
    cli("augment", photos, "-r", "gentle", "-o", tmp_path / "a", "-w", 1)
    folder = tmp_path / "a" / "gentle"
    assert cli("rebuild", folder / "manifest.jsonl", "--verify", "-w", 1)[0] == 0
    assert len(json.loads(cli("datasets", "list", "--json")[1])["datasets"]) == 1
    description = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    description["versions"]["numpy"] = "1.0"
    (folder / "dataset.json").write_text(json.dumps(description, indent=1, ensure_ascii=False) + "\n")
    code, out, _ = cli("rebuild", folder / "manifest.jsonl", "--verify", "-w", 1)
    first, second, *_ = out.splitlines()
    assert code == 1 and "every image and label file is the same, bit for bit" in first and "numpy 1.0" in second


def test_a_manifest_that_cannot_be_followed_is_refused(cli, photos, tmp_path):
    cli("augment", photos, "-r", "gentle", "-o", tmp_path / "a", "-w", 1)
    manifest = tmp_path / "a" / "gentle" / "manifest.jsonl"
    lines = manifest.read_text(encoding="utf-8").splitlines(keepends=True)
    first = json.loads(lines[0])
    for changed, cause in (
        ([json.dumps({**first, "file": f"../{first['file']}"}) + "\n", *lines[1:]], "is no plain file name"),
        ([json.dumps({**first, "source": {}}) + "\n", *lines[1:]], "does not say how"),
        (lines[1:], "dataset.json has"),
    ):
        manifest.write_text("".join(changed), encoding="utf-8")
        code, _, err = cli("rebuild", manifest, "-o", tmp_path / "b", "-w", 1)
        assert code == 2 and cause in err and not (tmp_path / "b").exists(), err


def test_problems_exit_2_and_name_the_fix(cli, photos, tmp_path):
    cases = [
        (("augment", photos, "-r", "gentel"), "no recipe of that name"),
        (("augment", tmp_path / "nowhere", "-r", "gentle"), "does not exist"),
        (("augment", photos, "-r", "gentle", "-f", "yolov9"), "unknown format yolov9"),
        (("preview", "-r", "gentle"), "either a dataset folder or --project"),
        (("import", photos), "--project ID or --new"),
        (("datasets", "rm", "nothing"), "no dataset 'nothing'"),
        (("recipe", "steps", "HorizontalFlop"), "HorizontalFlip"),
        (("export", "-p", "1"), "no Label Studio is configured"),
    ]
    for arguments, text in cases:
        code, _, err = cli(*arguments)
        assert code == 2, (arguments, err)
        assert text in err and "Traceback" not in err, (arguments, err)


@pytest.mark.parametrize(
    ("recipe", "texts"),
    [
        ("steps: [{HorizontalFlop: {}}]", ["HorizontalFlop", "HorizontalFlip"]),
        ("steps: [{HorizontalFlip: {p: -1}}]", ["HorizontalFlip", "p", "0 to 1"]),
        ("steps: [{HorizontalFlip: {probability: 1}}]", ["probability"]),
        ("variantz: 3", ["variantz", "variants"]),
        ("steps: [{RandomCrop: {height: 5000, width: 5000}}]", ["RandomCrop"]),
        ("steps: [{Mosaic: {}}]", ["Mosaic", "several images"]),
        ("split: {train: 0.5}", ["must be 1"]),
        ("- a list", ["mapping"]),
        ("steps: [", ["not YAML"]),
    ],
)  # fmt: skip
def test_bad_recipes_are_refused_before_anything_is_written(cli, photos, tmp_path, recipe, texts):
    file = tmp_path / "bad.yaml"
    file.write_text(recipe)
    code, _, err = cli("augment", photos, "-r", file, "-o", tmp_path / "o", "-w", 1)
    assert code == 2, err
    for text in texts:
        assert text in err
    assert not list((tmp_path / "o").rglob("*.jpg"))


def test_a_place_that_cannot_be_written_exits_2(cli, photos, tmp_path):
    (tmp_path / "file").touch()
    for place in (tmp_path, tmp_path / "file" / "x.png"):
        for command in (
            ("preview", photos, "-r", "gentle", "--images", 1, "--variants", 1, "-o"),
            ("recipe", "export", "gentle", "-o"),
        ):
            target = tmp_path / "folder.png" if place == tmp_path else place
            (tmp_path / "folder.png").mkdir(exist_ok=True)
            code, _, err = cli(*command, target)
            assert code == 2 and f"cannot write {target}" in err and "fix:" in err, err
    for command in (("augment", photos, "-r", "gentle", "-w", 1, "-o"), ("convert", photos, "--to", "yolo")):
        code, _, err = cli(*command, tmp_path / "file" / "x")
        assert code == 2 and "cannot write" in err, err


def test_datasets_that_are_gone_can_be_forgotten(cli, photos, tmp_path):
    for place in ("a", "b", "c"):
        assert cli("augment", photos, "-r", "gentle", "-o", tmp_path / place, "-w", 1)[0] == 0
    for place in ("a", "b"):
        shutil.rmtree(tmp_path / place / "gentle")
    assert cli("datasets", "rm", "gentle", "--yes")[0] == 0  # only one of that name is still there
    assert not (tmp_path / "c" / "gentle").exists()
    assert cli("datasets", "rm")[0] == 2 and cli("datasets", "rm", "gentle", "--gone")[0] == 2
    code, out, _ = cli("datasets", "rm", "--gone")
    assert code == 0 and "forgot" in out
    assert json.loads(cli("datasets", "list", "--json")[1])["datasets"] == []


def test_the_worst_sheet_says_what_it_shows(cli, photos, tmp_path):
    code, out, _ = cli("preview", photos, "-r", "gentle", "--worst", "-o", tmp_path / "w.png", "--json")
    assert code == 0 and json.loads(out)["counts"]["variants"] == 12


def test_options_that_cannot_be_read_exit_2(cli):
    for arguments in (["--tasks", "3-x"], ["--tasks", "9-3"], ["--since", "yesterday"], ["--annotations", "best"]):
        assert cli("export", "-p", "1", *arguments)[0] == 2
    assert cli("export", "-p", "1", "--write-back", "ab")[0] == 2
    assert cli("export", "-p", "1", "--sample", "5")[0] == 2


def test_a_bad_setting_is_named(cli, monkeypatch):
    monkeypatch.setenv("LABELLOOM_DATABASE_URL", "carrier-pigeon")
    code, _, err = cli("datasets", "list")
    assert code == 2 and "LABELLOOM_DATABASE_URL" in err


def test_hosts_are_separated_by_commas(monkeypatch):
    monkeypatch.setenv("LABELLOOM_ALLOW_HOSTS", "nas.local, 10.0.0.7")
    assert load_settings().allow_hosts == ("nas.local", "10.0.0.7")


def test_doctor_names_the_fix(cli):
    code, out, _ = cli("doctor", "--json")
    checks = {c["name"]: c for c in json.loads(out)["checks"]}
    assert code == 1
    assert checks["albumentations"]["ok"] and not checks["label studio"]["ok"]
    assert "labelloom up" in checks["label studio"]["fix"]


def test_doctor_lists_every_check_when_label_studio_is_gone(cli, monkeypatch):
    monkeypatch.setenv("LABEL_STUDIO_URL", "http://localhost:9")
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "0" * 40)
    code, out, _ = cli("doctor", "--json")
    checks = {c["name"]: c for c in json.loads(out)["checks"]}
    assert code == 1 and checks["python"]["ok"]
    assert "localhost:9" in checks["label studio"]["detail"] and checks["label studio"]["fix"]


def test_ctrl_c_leaves_a_resumable_state(photos, tmp_path):
    environment = {**os.environ, "LABELLOOM_DATA_DIR": str(tmp_path / "data")}
    recipe = tmp_path / "r.yaml"
    recipe.write_text("name: r\nvariants: 200\nsteps: [HorizontalFlip, {GaussianBlur: {p: 1}}]\n")
    command = [LABELLOOM, "augment", photos, "-r", recipe, "-o", tmp_path / "o", "-w", "1"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list((tmp_path / "o" / "r.partial").glob("yolo/*/*/*_v01.jpg")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode in {0, 130}, err
    if process.returncode == 130:
        assert "run the same command again to resume" in err
    again = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert len(list((tmp_path / "o" / "r" / "yolo").rglob("*.jpg"))) == 6 * 201
