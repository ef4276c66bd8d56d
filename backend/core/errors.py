"""The error tree. Each error names the input, the cause and the fix, and maps to one exit code.

LabelLoomError          anything we report without a traceback           exit 1
|- UsageError           arguments, settings or input invalid; nothing was touched   exit 2
|  `- RecipeError       a recipe's problems, all of them at once         exit 2
|- LeakError            images of one lineage group lie in several splits  exit 1
|- Held                 another process is doing the same work right now  exit 1
|- VerifyError          what was written is not what was meant           exit 1
|- ImageError           one image cannot be used: it is skipped, counted and reported
`- Cancelled            the user asked to stop; the state is resumable   exit 130
"""

from collections.abc import Sequence

SHOWN = 100  # characters of a value that a message repeats


def shown(value: object, *, quoted: bool = True) -> str:
    """Return a value as messages show it: as Python writes it, or as plain text, and not more than its beginning."""
    text = str(value)[: 2 * SHOWN] if isinstance(value, str) or not quoted else repr(value)
    text = repr(text) if isinstance(value, str) and quoted else text
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


class LabelLoomError(Exception):
    """Something went wrong that a user can understand and fix.

    Args:
        message: what failed and why, naming the input.
        fix: what to do about it, as a sentence; shown on a line of its own.
    """

    exit_code = 1

    def __init__(self, message: str, *, fix: str | None = None) -> None:
        super().__init__(message)
        self.fix = fix


class UsageError(LabelLoomError):
    """The request itself is wrong; nothing was touched."""

    exit_code = 2


class RecipeError(UsageError):
    """A recipe is invalid; `problems` lists every problem found, in the order of the document."""

    def __init__(self, problems: Sequence[str], *, fix: str | None = None) -> None:
        super().__init__("recipe is invalid:\n" + "\n".join(f"  - {p}" for p in problems), fix=fix)
        self.problems = tuple(problems)


class LeakError(LabelLoomError):
    """Images that belong together lie in different splits."""


class Held(LabelLoomError):
    """Another process is doing the same work right now."""


class VerifyError(LabelLoomError):
    """The written dataset does not read back as what was meant."""


class ImageError(LabelLoomError):
    """This one image cannot be used. The message is the reason shown to the user."""


class Cancelled(LabelLoomError):
    """The user interrupted the work; running the same command again resumes it."""

    exit_code = 130
