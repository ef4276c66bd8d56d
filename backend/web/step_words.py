"""Names that people read for the catalogue's transforms and parameters, in the page's language.

English ones come from the names in the code, the others from `translations/*/LC_MESSAGES/steps.po`, kept by hand.
"""

import re
from functools import cache

from flask_babel import Domain


@cache
def _domain() -> Domain:
    return Domain(domain="steps")


def _word(context: str, text: str, english: str) -> str:
    found: str = _domain().pgettext(context, text)
    return english if found == text else found


def step_title(name: str) -> str:
    """Return `HorizontalFlip` as "Horizontal flip"."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name).split(" ")
    english = " ".join(word if number == 0 or word.isupper() else word.lower() for number, word in enumerate(words))
    return _word("step", name, english)


def parameter_title(name: str) -> str:
    """Return `blur_limit` as "blur limit"."""
    return _word("parameter", name, name.replace("_", " "))


def group_title(name: str) -> str:
    """Return a group's name."""
    return _word("group", name, name)


def summary(text: str) -> str:
    """Return what a transform does, in a sentence."""
    return _word("summary", text, text)
