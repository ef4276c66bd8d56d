"""The command that opens doors inside Label Studio."""

from typing import TYPE_CHECKING

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


def connect(project: int | None, *, control: bool, print_action: bool, as_json: bool) -> None:
    """Run `labelloom connect`."""

    def work(settings: "Settings", _progress: TerminalProgress) -> Outcome:
        if sum((project is not None, control, print_action)) != 1:
            msg = "give one of --project ID, --control and --print-action"
            raise UsageError(msg, fix="docs/inside-label-studio.md tells them apart")
        if project is not None:
            return _link(settings, project)
        return _control(settings) if control else _print(settings, as_json=as_json)

    run("connect", work, as_json=as_json)


def _link(settings: "Settings", project: int) -> Outcome:
    from backend.flows.connect import link_project

    found, changed = link_project(settings, project)
    said = "now lead to LabelLoom" if changed else "lead to LabelLoom already"
    warnings = (
        [] if settings.base_url else ["the link says localhost: set LABELLOOM_BASE_URL for other people's browsers"]
    )
    return Outcome([f"the instructions of {found.title!r} {said}: {found.link}"], warnings=warnings)


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
