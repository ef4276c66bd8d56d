"""Which tasks of a project are read: what was asked for is checked against what the project has, then spooled."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import IO, Any

from backend.core.errors import UsageError
from backend.core.progress import Progress
from backend.formats.label_config import LabelConfig
from backend.formats.label_studio_tasks import Filter, Selection, labels_of, pick
from connectors.label_studio import LabelStudio, Project

Json = dict[str, Any]

SHOWN = 20  # ids or labels that a message lists
NEWEST = Filter()


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which tasks are exported: those of a view and with an id (None: all) that pass the filter.

    exclude: ids left out; filters: the Data Manager's own filters, as Label Studio writes them.
    """

    view: int | None = None
    ids: tuple[int, ...] | None = None
    filter: Filter = NEWEST
    exclude: frozenset[int] = frozenset()
    filters: Json | None = None


@dataclass(frozen=True, slots=True)
class Spool:
    """What was read: how the tasks were chosen, and which of the asked ones the project does not have."""

    selection: Selection
    warnings: tuple[str, ...] = ()


def spool_tasks(
    source: tuple[LabelStudio, Project, LabelConfig], chosen: Chosen, spool: IO[str], progress: Progress
) -> Spool:
    """Write the chosen tasks, one JSON a line.

    Raises:
        UsageError: the project has no such view, no task of the ids asked for, or a label that nothing in it has.
        ConnectorError: Label Studio is gone or refuses.
    """
    client, project, config = source
    ids = _ids(client, project, chosen)
    selection, seen, strange = Selection(), set[int](), set(chosen.filter.labels) - {*config.labels, *config.tags}
    total = len(ids) if ids is not None else project.task_number
    for number, task in enumerate(client.tasks(project.id, ids=ids), start=1):
        picked = pick(task, chosen.filter)
        selection.add(picked)
        if picked.used:
            spool.write(json.dumps(task, ensure_ascii=False) + "\n")
        seen.add(task["id"])
        if strange:  # a label may have left the config and still be on tasks
            strange.difference_update(*map(labels_of, task.get("annotations") or ()))
        progress.update("reading tasks", number, total)
    if strange:
        raise _unknown_labels(sorted(strange), project, (*config.labels, *config.tags))
    return Spool(selection, tuple(_missing(project, chosen, seen)))


def _ids(client: LabelStudio, project: Project, chosen: Chosen) -> tuple[int, ...] | None:
    """Return the ids to ask for: what the view and the filters show, or the list, or of both; None for all."""
    if chosen.view is None and not chosen.exclude and not chosen.filters:
        return chosen.ids
    if chosen.view is not None:
        _check_view(client, project, chosen.view)
    shown = set(client.task_ids(project.id, view=chosen.view, filters=chosen.filters)) - chosen.exclude
    if not shown:
        msg = f"project {project.id} has no task that the view, the filters and the exclusions leave"
        raise UsageError(msg, fix="choose at least one task")
    return tuple(sorted(shown if chosen.ids is None else shown & {*chosen.ids}))


def _check_view(client: LabelStudio, project: Project, view: int) -> None:
    views = {one["id"]: one["title"] for one in client.views(project.id)}
    if view not in views:
        known = ", ".join(f"{number} ({title})" for number, title in views.items()) or "none was saved yet"
        msg = f"project {project.id} has no view {view}"
        raise UsageError(msg, fix=f"its views (Data Manager tabs) are: {known}")


def _missing(project: Project, chosen: Chosen, seen: set[int]) -> Iterator[str]:
    missing = [number for number in chosen.ids or () if number not in seen]
    if not missing:
        return
    where = f"project {project.id}" + (f", view {chosen.view}" if chosen.view is not None else "")
    one = len(missing) == 1
    msg = f"{where} has no task {_listed(missing)}" if one else f"{where} has no tasks {_listed(missing)}"
    if not seen:
        raise UsageError(msg, fix="the ids are in the first column of the project's page")
    yield msg


def _listed(numbers: Iterable[int]) -> str:
    """Return ids as people write them: `1, 5-90`, the first ones of many."""
    spans: list[tuple[int, int]] = []
    for number in numbers:
        if spans and spans[-1][1] + 1 == number:
            spans[-1] = spans[-1][0], number
        else:
            spans.append((number, number))
    words = [str(a) if a == b else f"{a}-{b}" for a, b in spans]
    more = f" and {len(words) - SHOWN} more spans" if len(words) > SHOWN else ""
    return ", ".join(words[:SHOWN]) + more


def _unknown_labels(unknown: list[str], project: Project, known: tuple[str, ...]) -> UsageError:
    near = sorted(known, key=lambda name: -max(_likeness(name, asked) for asked in unknown))
    names = ", ".join(map(repr, unknown))
    msg = f"project {project.id} has no label {names}"
    more = f" and {len(near) - SHOWN} more" if len(near) > SHOWN else ""
    listed = ", ".join(near[:SHOWN]) + more
    return UsageError(msg, fix=f"its labels are: {listed}" if near else "its labelling config has no labels")


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one.casefold(), other.casefold()).ratio()
