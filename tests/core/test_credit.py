"""Credits as JSON and back, whatever somebody wrote into a task's meta."""

import json

import pytest

from backend.core.codec import sample_from_json, sample_to_json
from backend.core.credit import Credit, Terms, credit_from_json, credit_to_json
from backend.core.lineage import parent_of
from backend.core.model import Origin, Sample

FULL = Credit(
    url="https://img.example/고양이.jpg", page_url="https://page.example/1", title="<b>고양이</b>", query="고양이 사진",
    source="naver", label="고양이 🐈", rank=3, fetched_at="2026-11-23T10:12:21Z",
    license=Terms("by-sa 4.0", "CC-BY-SA-4.0", "https://cc.example", "api"), creator="김철수",
    creator_url="https://me.example", attribution="by 김철수", opt_out=(("robots", "allowed"), ("meta", "noai")),
    changes=("GPS position removed",), sha256="ab" * 32, phash="0" * 16, group="cd" * 6, thumbnail=True,
)  # fmt: skip


@pytest.mark.parametrize("credit", [FULL, Credit(), Credit(rank=0)])
def test_a_credit_reads_back(credit: Credit) -> None:
    assert credit_from_json(json.loads(json.dumps(credit_to_json(credit)))) == credit


def test_an_unknown_licence_is_written_as_a_value() -> None:
    data = credit_to_json(Credit())
    assert data == {"license": {"raw": None, "spdx": None, "url": None, "confidence": "unknown"}}
    assert Terms().name == "unknown"
    assert not Terms().known
    nothing_named = credit_from_json({"license": {"confidence": "api"}})
    assert nothing_named is not None
    assert nothing_named.license == Terms()  # nobody can be sure of nothing


@pytest.mark.parametrize("junk", [None, [], {}, "x", 5])
def test_what_is_no_object_is_no_credit(junk: object) -> None:
    assert credit_from_json(junk) is None


def test_junk_within_counts_as_unknown() -> None:
    junk = {"url": 5, "rank": True, "license": "free!", "creator": ["x"], "changes": "GPS", "opt_out": {"robots": None}}
    assert credit_from_json(junk) == Credit()
    assert credit_from_json({"rank": "3", "changes": [1, "cut"], "thumbnail": "yes"}) == Credit(changes=("cut",))


@pytest.mark.parametrize(
    ("terms", "nc", "nd"),
    [
        (Terms(spdx="CC-BY-NC-ND-4.0"), True, True),
        (Terms(raw="by-nc-sa"), True, False),
        (Terms(raw="CC BY ND 2.0"), False, True),
        (Terms(raw="Finland's own, incl. photos"), False, False),
        (Terms(spdx="CC0-1.0"), False, False),
    ],
)
def test_what_a_licence_forbids(terms: Terms, nc: bool, nd: bool) -> None:
    assert (terms.noncommercial, terms.no_derivatives) == (nc, nd)


def sample(credit: Credit | None, **fields: str) -> Sample:
    named = tuple((f"data.{name}", value) for name, value in fields.items())
    return Sample("1", "/a.jpg", "a.jpg", 4, 3, origin=Origin("u", credit=credit), fields=named)


def test_a_sample_without_credit_keeps_its_bytes() -> None:
    assert "credit" not in sample_to_json(sample(None))["origin"]
    both = sample_from_json(json.loads(json.dumps(sample_to_json(sample(FULL)))))
    assert both.origin.credit == FULL


def test_lineage_is_known_by_the_parent_named_else_the_group_else_the_file() -> None:
    assert parent_of(sample(FULL)) == "cd" * 6
    assert parent_of(sample(Credit(sha256="ab" * 32))) == "ab" * 32
    assert parent_of(sample(FULL, loom_parent="41")) == "cd" * 6  # a task's number is no hash
    assert parent_of(sample(FULL, loom_parent="ef" * 6)) == "ef" * 6
    assert parent_of(sample(Credit(group="the same"))) is None
    assert parent_of(sample(None)) is None
