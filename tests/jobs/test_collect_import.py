"""A collect job that ends in a new Label Studio project, and the same collection imported once more."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from backend.core.progress import Silent
from backend.flows.job_base import Json, Tools
from backend.flows.job_kinds import KINDS
from backend.settings import Settings
from connectors.label_studio import LabelStudio
from connectors.label_studio_server import Account
from tests.fakes.image_host import ImageHost, Reply
from tests.fakes.pictures import jpeg


def _run(kind: str, params: Json, settings: Settings) -> Json:
    def pools() -> object:
        raise AssertionError("collecting has no shards")

    found = KINDS[kind]
    return found.run(found.parse(params), Tools(settings, Silent(), "job", pools))  # type: ignore[arg-type]


@pytest.mark.e2e
@pytest.mark.timeout(200)
def test_what_was_collected_becomes_tasks_once(
    ls: LabelStudio, ls_account: Account, new_project: object, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache", allow_hosts=("127.0.0.1",))
    settings.label_studio_url, settings.label_studio_api_key = ls.url, SecretStr(ls_account.token)
    settings.lists_dir.mkdir(parents=True)
    with ImageHost({f"/{number}.jpg": Reply(jpeg(number)) for number in range(3)}) as host:
        lines = [host.url(f"/{number}.jpg") for number in range(3)]
        (settings.lists_dir / "list.txt").write_text("\n".join(lines))
        order = {"labels": [{"label": "고양이", "queries": ["list.txt"]}], "sources": ["urls"], "count": 2}
        seen = _run("collect", order | {"title": "고양이 <b>", "review": True}, settings)
        assert "project" not in seen and seen["counts"]["kept"] == 2
        assert not [one for one in ls.projects() if one.title == "고양이 <b>"]
        done = _run("collect", order | {"title": "고양이 <b>", "config": "choices"}, settings)
        assert done["imported"] == {"created": 2, "present": 0} and done["collection"] == seen["collection"]
        again = _run("import-collection", {"collection": seen["collection"], "project": done["project"]}, settings)
        assert again["imported"] == {"created": 0, "present": 2}
        more = _run("collect", order | {"count": 3, "project": done["project"], "name": "more"}, settings)
    # Two of the three are in the project already: the engine leaves them out, and says so.
    assert more["counts"]["rejected"] == {"known": 2} and more["imported"]["created"] == 1
    tasks = list(ls.tasks(done["project"]))
    assert len(tasks) == 3 and {task["data"]["label"] for task in tasks} == {"고양이"}
