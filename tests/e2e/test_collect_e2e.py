"""`labelloom collect` with the real Label Studio: images to tasks, again, into the same project, and with it down."""

from collections.abc import Callable
from pathlib import Path

import pytest
from shell import Shell

from connectors.label_studio import LabelStudio
from tests.fakes.image_host import ImageHost, Reply
from tests.fakes.pictures import jpeg

pytestmark = pytest.mark.e2e
QUICK = ("--rate", 0, "--per-host", 32, "--allow-host", "127.0.0.1")


@pytest.fixture
def lists(tmp_path: Path):
    with ImageHost({f"/{n}.jpg": Reply(jpeg(n)) for n in range(12)}) as host:
        for name, numbers in {"cats": range(5), "dogs": range(4, 10)}.items():
            (tmp_path / f"{name}.txt").write_text("\n".join(host.url(f"/{n}.jpg") for n in numbers))
        yield tmp_path


def test_collected_images_become_tasks_once(ls: LabelStudio, new_project: Callable[..., int], lists: Path) -> None:
    shell = Shell(ls, lists)
    labels = ("--label", f"고양이={lists / 'cats.txt'}", "--label", f"개={lists / 'dogs.txt'}")
    command = ("collect", "--source", "urls", *labels, "-n", 4, *QUICK)
    down = shell(*command, "--new", "동물 🐈", code=1, LABEL_STUDIO_URL="http://127.0.0.1:9")
    assert "127.0.0.1:9" in down["error"]
    review = shell(*command, "--new", "동물 🐈", "--review")
    assert review["counts"]["new"] == 0 and "project" not in review  # the images are here; nothing is fetched again
    made = shell(*command, "--new", "동물 🐈", "--config", "choices")
    assert (made["counts"]["kept"], made["counts"]["created"]) == (8, 8)
    tasks = list(ls.tasks(made["project"]))
    assert sorted(task["data"]["label"] for task in tasks) == ["개"] * 4 + ["고양이"] * 4
    again = shell(*command, "--project", made["project"])
    assert (again["counts"]["created"], again["counts"]["present"]) == (0, 8)
    known = shell("collect", "--list", lists / "dogs.txt", "--project", made["project"], "-o", lists / "other", *QUICK)
    assert known["counts"]["rejected"] == {"known": 4} and known["counts"]["created"] == 2
