"""An entry in Label Studio's Actions menu that orders an augmented export from LabelLoom.

This file runs inside Label Studio: it lies in its `data_manager/actions/` folder, which imports every file there. It
needs nothing but the standard library and Label Studio itself, and without LABELLOOM_URL and LABELLOOM_TOKEN (in Label
Studio's environment, or as {"url": ..., "token": ...} in `labelloom.json` beside this file) it adds nothing.
It sends which tasks are selected, never the tasks, and waits for an answer, never for the work.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from textwrap import shorten, wrap
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

Json = dict[str, Any]

TIMEOUT = 3.0  # seconds: Label Studio's page waits for us
TITLE = 50  # characters that Label Studio takes as a project's title
ORIGINALS = "originals only"
CHOICES = (
    ("project", "Augment and export, with a new project"),
    ("dataset", "Augment and export, without one"),
    ("preview", "Only draw a preview"),
)
WIDTH, LINES = 66, 8  # characters on one line of the dialog, and lines of a message
WIDE = 500  # pixels of the field for the title


class _Unavailable(Exception):
    """LabelLoom did not do what was asked; the message is for people."""


class _NoRedirects(HTTPRedirectHandler):
    """Stays where it was sent: the token is for one address only."""

    def redirect_request(self, *_arguments: Any, **_named: Any) -> None:
        """Follow nothing."""


def _address() -> tuple[str, str]:
    """Return LabelLoom's address and our token, or two empty texts; read anew each time, as the port may change."""
    url, token = os.environ.get("LABELLOOM_URL", ""), os.environ.get("LABELLOOM_TOKEN", "")
    file = Path(os.environ.get("LABELLOOM_CONNECTION") or Path(__file__).with_name("labelloom.json"))
    if not (url and token) and file.is_file():
        try:
            stored = json.loads(file.read_text(encoding="utf-8"))
            url, token = str(stored["url"]), str(stored["token"])
        except (OSError, ValueError, KeyError, TypeError):
            return "", ""
    return url.rstrip("/"), token


def _ask(path: str, body: Json | None = None) -> Json:
    url, token = _address()
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Accept": "application/json"}
    # No proxy from the environment: LabelLoom is a neighbour.
    opener = build_opener(ProxyHandler({}), _NoRedirects())
    try:
        with opener.open(Request(f"{url}/api/v1/{path}", data, headers), timeout=TIMEOUT) as answer:
            found = json.load(answer)
    except HTTPError as error:
        raise _Unavailable(_reason(error, url)) from error
    except (URLError, OSError) as error:
        why = getattr(error, "reason", error)
        msg = f"LabelLoom does not answer at {url}: {why}. Is it running?"
        raise _Unavailable(msg) from error
    except ValueError as error:
        msg = f"what answers at {url} is not LabelLoom"
        raise _Unavailable(msg) from error
    if not isinstance(found, dict):
        msg = f"what answers at {url} is not LabelLoom"
        raise _Unavailable(msg)
    return found


def _reason(error: HTTPError, url: str) -> str:
    if error.code == 401:
        return (
            f"LabelLoom at {url} does not accept Label Studio's token. Make a new one: labelloom connect --print-action"
        )
    try:
        problem = json.loads(error.read(100_000))
        text = str(problem["detail"])
        fix = problem.get("fix")
    except (ValueError, KeyError, TypeError, AttributeError, OSError):
        return f"LabelLoom at {url} answers HTTP {error.code}"
    return f"{text} ({fix})" if fix else text


def _form(user: Any, project: Any) -> list[Json]:
    """Return the dialog's fields; an exception here would show as a blank error, so a reason becomes a field."""
    problem = last = ""
    recipes: list[Json] = []
    try:
        found = _ask(f"orders/form?{urlencode({'project': project.id, 'user': user.email})}")
        recipes = [{"value": r["name"], "label": _short(f"{r['name']}: {r['about']}")} for r in found["recipes"]]
        problem, last = found["problem"] or "", found["last"]
    except _Unavailable as error:
        problem = str(error)
    except Exception as error:  # noqa: BLE001 - whatever it is, the dialog must say it
        problem = f"{type(error).__name__}: {error}"
    if problem:
        return [{"columnCount": 1, "fields": _lines(f"Not possible now: {problem}")}]
    recipes.append({"value": ORIGINALS, "label": f"({ORIGINALS})"})
    # Label Studio's field for numbers sends 0 where nothing was entered, and one with a value cannot be changed.
    plain: Json = {"type": "input", "name": "variants", "label": "Variants of each image (empty: as the recipe says)"}
    title: Json = {
        "type": "input",
        "name": "title",
        "label": "Title of the new project",
        "placeholder": _title(project),
    }
    fields = [
        *_lines(f"Last job here: {last}"),
        _select("recipe", "Recipe", recipes),
        plain,
        _select("do", "What to do", [dict(zip(("value", "label"), one, strict=True)) for one in CHOICES]),
        {**title, "style": {"width": WIDE}},
    ]
    return [{"columnCount": 1, "fields": fields}]


def _title(project: Any) -> str:
    return f"{project.title[: TITLE - 11].rstrip()}, augmented"


def _select(name: str, label: str, options: list[Json]) -> Json:
    """Return a list to choose from; without a value, Label Studio would show the first one but send none."""
    return {"type": "select", "name": name, "label": label, "options": options, "value": options[0]["value"]}


def _short(text: str) -> str:
    return shorten(text, WIDTH, placeholder=" ...")


def _lines(text: str) -> list[Json]:
    """Return text as fields: of a hidden one, Label Studio shows the label, on one line that is cut at the edge."""
    lines = wrap(text, WIDTH, max_lines=LINES, break_on_hyphens=False)
    return [{"type": "hidden", "name": f"line{n}", "label": line, "value": ""} for n, line in enumerate(lines)]


def labelloom_export(project: Any, queryset: Any, **kwargs: Any) -> Json:
    """Order the export of the selected tasks; the reason of a refusal shows as a toast."""
    request = kwargs["request"]
    data = request.data
    wanted = data.get("do") or "project"
    order = {
        "project": project.id,
        "user": request.user.email,
        "selection": data.get("selectedItems") or {"all": True},
        "filters": data.get("filters") or None,
        "recipe": None if data.get("recipe") in {None, "", ORIGINALS} else data["recipe"],
        "variants": str(data.get("variants") or "").strip() or None,
        "title": ((data.get("title") or "").strip() or _title(project)) if wanted == "project" else None,
        "do": "preview" if wanted == "preview" else "export",
    }
    try:
        job = _ask("orders", order)
    except _Unavailable as error:
        from rest_framework.exceptions import ValidationError  # only Label Studio has it

        raise ValidationError(str(error)) from error
    return {"processed_items": 0, "detail": f"LabelLoom job {job.get('id')} was queued"}


# `projects.change`: those who may change the project. LabelLoom checks the e-mail against its own list as well.
actions: list[Json] = (
    [
        {
            "entry_point": labelloom_export,
            "permission": "projects.change",
            "order": 50,
            "title": "Augment and export with LabelLoom...",
            "dialog": {
                "title": "Augment and export with LabelLoom",
                "text": "The work is queued and goes on by itself; open this dialog again to see how far it is.",
                "type": "confirm",
                "form": _form,
            },
        }
    ]
    if all(_address())
    else []
)
