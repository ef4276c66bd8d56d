"""The command that opens doors inside Label Studio."""

from typing import TYPE_CHECKING

from backend.commands.rules import parameters
from backend.commands.terminal import Outcome, TerminalProgress, run, stderr, stdout
from backend.core.errors import UsageError

if TYPE_CHECKING:
    from backend.settings import Settings

STEPS = (
    "1. save what was printed as labelloom_action.py in Label Studio's folder label_studio/data_manager/actions/",
    "   (in its Docker image: /label-studio/label_studio/data_manager/actions/)",
    "2. make a token: labelloom tokens make 'Label Studio'",
    "3. start Label Studio with LABELLOOM_URL={url} and LABELLOOM_TOKEN=loom_... in its environment, or put",
    '   {{"url": "{url}", "token": "loom_..."}} as labelloom.json beside the file, readable by Label Studio only',
    "4. name who may order: LABELLOOM_ALLOWED_EMAILS=one@example.org,two@example.org in LabelLoom's environment",
)


def connect(
    project: int | None, detector: tuple[str | None, list[str]], *, remove: bool, doors: list[str], as_json: bool
) -> None:
    """Run `labelloom connect`. detector: its name and its options as NAME=VALUE; doors: control, action."""

    def work(settings: "Settings", _progress: TerminalProgress) -> Outcome:
        if len(doors) + (project is not None) != 1:
            msg = "give one of --project ID, --control and --print-action"
            raise UsageError(msg, fix="docs/inside-label-studio.md tells them apart")
        if project is None and (remove or any(detector)):
            msg = "--remove, --detector and --option are about a --project"
            raise UsageError(msg)
        if project is not None:
            return _remove(settings, project) if remove else _project(settings, project, detector)
        return _control(settings) if doors == ["control"] else _print(settings, as_json=as_json)

    run("connect", work, as_json=as_json)


def _project(settings: "Settings", project: int, detector: tuple[str | None, list[str]]) -> Outcome:
    from backend.flows.connect import link_project
    from backend.flows.ml_connect import connect_ml

    name, options = detector[0], parameters(detector[1], "--option")
    made = connect_ml(settings, project, name, options if detector[1] else None)  # it refuses before anything changes
    found, linked = link_project(settings, project)
    done = "was made" if made.new else "was brought up to date" if made.changed else "is unchanged"
    text = [
        f"the instructions of {found.title!r} {'now lead' if linked else 'lead'} to LabelLoom: {found.link}",
        f"its ML backend {made.url} {done}: the detector {made.detector}",
        f"what predicts there now: {made.predicts}",
    ]
    here = "the link says localhost: set LABELLOOM_BASE_URL for other people's browsers"
    warnings = [*([] if settings.base_url else [here]), *made.notes]
    more = {"project": project, "url": made.url, "detector": made.detector, "version": made.version}
    return Outcome(text, warnings=warnings, more=more | {"changed": linked or made.changed})


def _remove(settings: "Settings", project: int) -> Outcome:
    from backend.flows.connect import unlink_project
    from backend.flows.ml_connect import disconnect_ml

    done = disconnect_ml(settings, project)
    _, unlinked = unlink_project(settings, project)
    said = "is no longer connected; its models stay" if done or unlinked else "was not connected"
    return Outcome([f"project {project} {said}"], more={"project": project, "changed": done or unlinked})


def _control(settings: "Settings") -> Outcome:
    from backend.flows.control_project import make_control
    from backend.flows.orders import allowed_emails

    made = make_control(settings)
    who = ", ".join(allowed_emails(settings))
    text = [
        f"{'made' if made.created else 'brought up to date'}: {made.project.title!r} {made.project.link}",
        f"order forms {made.tasks}, {made.added} of them new",
        f"who may order: {who or 'nobody yet'}",
    ]
    warnings = [] if who else ["nobody may order: set LABELLOOM_ALLOWED_EMAILS"]
    more = {"project": made.project.id, "url": made.project.link}
    return Outcome(text, warnings=warnings, counts={"forms": made.tasks, "added": made.added}, more=more)


def _print(settings: "Settings", *, as_json: bool) -> Outcome:
    from backend.flows.connect import action_text, own_url

    steps = [step.format(url=own_url(settings)) for step in STEPS]
    if as_json:
        return Outcome(more={"action": action_text(), "steps": steps})
    stdout.file.write(action_text())  # not through rich: a file must stay as it is
    for step in steps:
        stderr.print(step, markup=False, highlight=False, soft_wrap=True)
    return Outcome()
