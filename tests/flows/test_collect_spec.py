"""What to collect, as it is typed, written in class lists, and stored."""

from pathlib import Path

import pytest

from backend.core.errors import UsageError
from backend.flows.collect.search import parse_licenses
from backend.flows.collect.spec import CollectSpec, LabelSpec, parse_label, parse_labels
from connectors.fetching.options import FetchOptions
from connectors.fetching.reasons import REASONS


@pytest.mark.parametrize(
    ("text", "label", "queries"),
    [
        ("고양이=고양이 사진,아기 고양이", "고양이", ("고양이 사진", "아기 고양이")),
        ("dog", "dog", ("dog",)),
        (' 🐈 = "cat" , cat, cat', "🐈", ('"cat"', "cat")),
        ("a=b=c", "a", ("b=c",)),
    ],
)
def test_a_label_and_its_keywords(text, label, queries) -> None:
    assert parse_label(text) == LabelSpec(label, queries)


@pytest.mark.parametrize("text", ["", "=", "cat=", "cat=,", "  =cat", "cat=" + "x" * 1001, "cat=a\nb"])
def test_a_label_that_says_nothing_is_refused_with_what_to_write(text) -> None:
    with pytest.raises(UsageError) as caught:
        parse_label(text)
    assert caught.value.fix


def test_three_hundred_characters_and_quotes_and_emoji_are_keywords() -> None:
    for text in ("가" * 300, 'it\'s "quoted" & <b>', "🐈‍⬛ 👩‍👩‍👧"):
        assert LabelSpec(None, (text,)).queries == (text,)


def test_a_class_list_in_each_of_its_forms() -> None:
    text = "고양이: [고양이 사진, 아기 고양이]\ndog: puppy\nno:\n2026: [a, a]\n"
    assert parse_labels(text) == (
        LabelSpec("고양이", ("고양이 사진", "아기 고양이")), LabelSpec("dog", ("puppy",)),
        LabelSpec("no", ("no",)), LabelSpec("2026", ("a",)))  # fmt: skip
    assert parse_labels("- cat\n- dog\n") == (LabelSpec("cat", ("cat",)), LabelSpec("dog", ("dog",)))


@pytest.mark.parametrize(
    "text", ["", "just text", "a: {b: c}", "a: [", "a: [[b]]", "a: []", "a: [b]\nc: d\na: [e]", "? [x]\n: y"]
)
def test_what_is_no_class_list_is_refused(text) -> None:
    with pytest.raises(UsageError):
        parse_labels(text)


def test_a_description_survives_json_without_what_the_settings_add() -> None:
    spec = CollectSpec(
        (LabelSpec("고양이", ("a", "b")), LabelSpec(None, ("c",))), ("naver", "openverse"), count=7, near="group",
        licenses=frozenset({"by", "cc0"}),
        fetch=FetchOptions(deadline=9.0, allow_hosts=frozenset({"h"}), contact="me@x"),
    )  # fmt: skip
    stored = spec.to_json()
    assert "me@x" not in str(stored)
    again = CollectSpec.from_json(stored)
    assert again.labels == spec.labels and again.fetch.allow_hosts == {"h"} and again.fetch.contact is None
    assert again.to_json() == stored and again.key() == spec.key()
    for wrong in ({}, {**stored, "colour": 1}, {**stored, "labels": 3}, {**stored, "fetch": {"x": 1}}):
        with pytest.raises(UsageError):
            CollectSpec.from_json(wrong)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"count": 0}, "-n 0 asks for no images"), ({"count": -1}, "asks for no images"),
        ({"labels": ()}, "no keyword"), ({"sources": ()}, "no source"), ({"near": "maybe"}, "skip, group or keep"),
        ({"labels": (LabelSpec("a", ("b",)), LabelSpec("a", ("c",)))}, "'a' is given twice"),
    ],
)  # fmt: skip
def test_a_description_that_makes_no_sense_is_refused(fields, said) -> None:
    with pytest.raises(UsageError, match=said):
        CollectSpec(**{"labels": (LabelSpec("a", ("b",)),), "sources": ("made",)} | fields)


def test_licences_by_their_short_names() -> None:
    assert parse_licenses(" BY, cc0 ,") == {"by", "cc0"} and parse_licenses(None) == frozenset()
    with pytest.raises(UsageError, match="does not know 'free'"):
        parse_licenses("by,free")


def test_every_reason_is_in_the_guide() -> None:
    guide = Path("docs/collect.md").read_text(encoding="utf-8")
    assert [code for code in REASONS if f"`{code}`" not in guide] == []
