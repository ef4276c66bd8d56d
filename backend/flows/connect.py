"""Doors into LabelLoom from inside Label Studio: the entry in its Actions menu, and links in projects."""

import json
import re
from collections.abc import Callable
from pathlib import Path

from backend.core.errors import LabelLoomError
from backend.flows.access import caller_of_token, create_token, service_url, write_private
from backend.flows.label_studio_connection import connect, find_project, translated
from backend.imaging.files import write_atomic
from backend.settings import Settings
from backend.store.tables import open_database
from connectors import label_studio_action
from connectors.label_studio import Project

ACTION = "labelloom_action.py"
TOKEN_NAME = "Label Studio's Actions menu"
LINK = "Augment and export with LabelLoom"
# Label Studio keeps neither comments nor classes in instructions, so our part is known by its words.
_OURS = re.compile(rf'<p><a href="[^"]*">{LINK}</a></p>')


def own_url(settings: Settings) -> str:
    """Return the address at which people and Label Studio find LabelLoom."""
    return service_url(settings)


def action_text() -> str:
    """Return the file that adds the entry to Label Studio's Actions menu."""
    return Path(label_studio_action.__file__).read_text(encoding="utf-8")


def install_action(command: Path) -> Path:
    """Put the entry into the Label Studio of an environment, or bring it up to date; it does nothing unconfigured.

    Args:
        command: the environment's `label-studio` command.

    Raises:
        LabelLoomError: that environment holds no Label Studio as we know it.
    """
    found = list(command.parent.parent.glob("lib/python*/site-packages/label_studio/data_manager/actions"))
    if not found:
        msg = f"the environment of {command} has no folder label_studio/data_manager/actions"
        raise LabelLoomError(msg, fix="remove that environment; `labelloom up` makes it again")
    target, text = found[0] / ACTION, action_text().encode()
    if not target.is_file() or target.read_bytes() != text:
        write_atomic(target, text)
    return target


def action_environment(settings: Settings) -> dict[str, str]:
    """Return the environment variable that tells the entry where it learns LabelLoom's address and its token."""
    return {"LABELLOOM_CONNECTION": str(announce(settings, own_url(settings)))}


def announce(settings: Settings, url: str) -> Path:
    """Tell the entry in our Label Studio's menu where LabelLoom answers; return the file that says so."""
    path = settings.data_dir / "label-studio" / "labelloom.json"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_private(path, json.dumps({"url": url, "token": _token(settings, path)}))
    return path


def _token(settings: Settings, path: Path) -> str:
    """Return the entry's API token: the stored one while it is valid, else a new one."""
    try:
        token = str(json.loads(path.read_text(encoding="utf-8"))["token"])
    except (OSError, ValueError, KeyError, TypeError):
        token = ""
    if token and caller_of_token(open_database(settings.database), token):
        return token
    return create_token(settings, TOKEN_NAME)


def link_project(settings: Settings, project: int) -> tuple[Project, bool]:
    """Put a link to LabelLoom behind a project's own instructions; return it, and whether anything changed.

    Raises:
        LabelLoomError: Label Studio is gone, or has no such project.
    """
    return _instruct(settings, project, lambda text: with_link(text, own_url(settings), project))


def unlink_project(settings: Settings, project: int) -> tuple[Project, bool]:
    """Take the link to LabelLoom out of a project's instructions again; return it, and whether anything changed.

    Raises:
        LabelLoomError: Label Studio is gone, or has no such project.
    """
    return _instruct(settings, project, lambda text: _OURS.sub("", text).rstrip("\n") if _OURS.search(text) else text)


def _instruct(settings: Settings, project: int, change: Callable[[str], str]) -> tuple[Project, bool]:
    with translated():
        client = connect(settings)
        found = find_project(client, project)
        path = f"api/projects/{project}/"
        before = str(client.request("GET", path).json().get("expert_instruction") or "")
        after = change(before)
        if after != before:
            client.request("PATCH", path, json={"expert_instruction": after})
    return found, after != before


def with_link(text: str, url: str, project: int) -> str:
    """Return instructions with our part at their end; an older one of ours is replaced, all else stays as it is."""
    link = f'<p><a href="{url}/export?project={project}">{LINK}</a></p>'
    if _OURS.search(text):
        return _OURS.sub(lambda _: link, text, count=1)
    return f"{text}\n{link}" if text else link
