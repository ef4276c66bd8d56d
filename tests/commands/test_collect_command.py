"""`labelloom collect` as it is typed: what it says, what it returns, what it writes."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
from quick_cli import labelloom, start

from tests.fakes.image_host import ImageHost, Reply
from tests.fakes.pictures import jpeg

QUICK = ["--rate", "0", "--per-host", "32", "--allow-host", "127.0.0.1", "--deadline", "5"]


@pytest.fixture
def host():
    with ImageHost({f"/{n}.jpg": Reply(jpeg(n)) for n in range(30)}) as serving:
        yield serving


@pytest.fixture
def environment(tmp_path):
    return {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(Path.cwd()), "COLUMNS": "300",
        "LABELLOOM_DATA_DIR": str(tmp_path / "자료"), "LABELLOOM_CACHE_DIR": str(tmp_path / "cache"),
    }  # fmt: skip


def listed(tmp_path: Path, host: ImageHost, names: list[str]) -> str:
    path = tmp_path / "목록 1.txt"
    path.write_text("\n".join(host.url(f"/{name}") for name in names), encoding="utf-8")
    return str(path)


def test_a_list_to_a_folder_and_again_and_as_json(host, environment, tmp_path) -> None:
    names = ["0.jpg", "1.jpg", "none.jpg", "0.jpg"]
    command = ["collect", "--list", listed(tmp_path, host, names), "-o", str(tmp_path / "found"), *QUICK]
    ended = labelloom([*command, "--json"], environment)
    assert ended.code == 3, ended.err
    said = json.loads(ended.out)
    assert (said["ok"], said["command"], said["out"], said["state"]) == (
        True,
        "collect",
        str(tmp_path / "found"),
        "finished",
    )
    assert (said["counts"]["kept"], said["counts"]["found"]) == (2, 4)
    assert said["counts"]["rejected"] == {"http-404": 1, "duplicate": 1}
    assert [one["reason"].split(":")[0] for one in said["skipped"]] == ["http-404", "duplicate"]
    asked = len(host.asked)
    again = labelloom(command, environment)
    assert again.code == 3 and len(host.asked) == asked
    assert "kept        2" in again.out and "left out    1 http-404" in again.out


def test_labels_to_folders_stop_exactly_at_n(host, environment, tmp_path) -> None:
    names = [f"{n}.jpg" for n in range(30)]
    cats = listed(tmp_path, host, names)
    label = f"고양이 🐈={cats}"
    command = [
        "collect",
        "--source",
        "urls",
        "--label",
        label,
        "-n",
        "7",
        "--to-folders",
        str(tmp_path / "out"),
        *QUICK,
    ]
    ended = labelloom(command, environment)
    assert ended.code == 0, ended.err
    assert "kept        7 of 7  고양이 🐈" in ended.out
    assert len(list((tmp_path / "out" / "고양이_🐈").iterdir())) == 7
    assert len(list((tmp_path / "자료" / "collections").iterdir())) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["collect"], "no keyword"),
        (["collect", "x", "-n", "0"], "-n 0 asks for no images"),
        (["collect", "  "], "an empty keyword"),
        (["collect", "x", "--source", "nowhere"], "there is no source 'nowhere'"),
        (["collect", "x", "--source", "naver"], "naver cannot be used"),
        (["collect", "x", "--source", "openverse", "--source", "urls"], "take different things"),
        (["collect", "x", "--license", "free"], "does not know 'free'"),
        (["collect", "./없는 폴더"], "looks like a file, a folder or an address"),
        (["collect", "x", "--list", "none.txt"], "do not go together"),
        (["collect", "--list", "none.txt"], "there is no list none.txt"),
        (["collect", "x", "--new", "가나"], "titles of 3 to 50 characters"),
        (["collect", "x", "--new", "abc", "--config", "choices"], "needs labels"),
        (["collect", "x", "--new", "abc", "--config", "nothing"], "--config is"),
        (["collect", "x", "--near", "maybe"], "near is skip, group or keep"),
        (["collect", "x", "--project", "1", "--new", "y"], "either --project or --new"),
        (["collect", "--labels", "none.yaml"], "cannot read none.yaml"),
        (["collect", "x", "--accept-terms", "openverse"], "needs no acknowledgement"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_touched(environment, tmp_path, arguments, said) -> None:
    ended = labelloom(arguments, environment)
    assert ended.code == 2 and said in ended.err, ended.err
    assert not (tmp_path / "자료" / "collections").exists()


def test_a_dry_run_asks_nobody_and_tells_how_to_get_a_key(environment, tmp_path) -> None:
    command = ["collect", 'it\'s "고양이" 🐈', "-n", "50000", "--dry-run"]
    ended = labelloom(command, environment)
    assert ended.code == 0, ended.err
    assert "sources     openverse, wikimedia" in ended.out and "would keep  50,000" in ended.out
    assert "There is no Naver key" in ended.err and "50,000 images are asked for" in ended.err
    assert not (tmp_path / "자료" / "collections").exists()


def test_ctrl_c_ends_with_130_and_the_same_command_goes_on(host, environment, tmp_path) -> None:
    host.replies["/15.jpg"] = Reply(jpeg(15), trouble="drip", seconds=4)
    command = ["collect", "--list", listed(tmp_path, host, [f"{n}.jpg" for n in range(30)]), "-o", str(tmp_path / "c")]
    running = start([*command, *QUICK], environment, tmp_path / "log")
    manifest = tmp_path / "c" / "manifest.jsonl"
    end = time.monotonic() + 30
    while not (manifest.exists() and manifest.read_bytes().count(b"\n") >= 15) and time.monotonic() < end:
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    assert running.wait(20) == 130
    assert "run the same command again to resume" in (tmp_path / "log").read_text()
    host.replies["/15.jpg"] = Reply(jpeg(15))
    ended = labelloom([*command, *QUICK], environment)
    assert ended.code == 0, ended.err
    assert manifest.read_bytes().count(b"\n") == 30


def test_terms_are_acknowledged_on_their_own_and_never_by_a_dry_run(environment, tmp_path) -> None:
    record = tmp_path / "자료" / "sources" / "acknowledged.jsonl"
    assert labelloom(["collect", "고양이", "--accept-terms", "naver-web", "--dry-run"], environment).code == 0
    assert not record.exists()
    for _ in range(2):
        ended = labelloom(["collect", "--accept-terms", "naver-web"], environment)
        assert (ended.code, ended.out) == (0, "naver-web: acknowledged\n"), ended.err
    assert len(record.read_text().splitlines()) == 1


def test_escapes_in_a_label_do_not_reach_the_terminal(host, environment, tmp_path) -> None:
    where = listed(tmp_path, host, ["1.jpg"])
    labels = tmp_path / "labels.yaml"
    labels.write_text(json.dumps({"빨강\x1b[31m": [where]}))
    ended = labelloom(
        ["collect", "--labels", str(labels), "-s", "urls", "-o", str(tmp_path / "c"), *QUICK], environment
    )
    assert ended.code == 0 and "빨강?[31m" in ended.out and "\x1b" not in ended.out + ended.err
