"""A model's labels in a project: names, renames, thresholds, and what the control tags' attributes say."""

from typing import Any

import pytest

from backend.core.model import Box, Polygon, Region, RotatedBox, Tag
from backend.detect.base import Predicted
from backend.flows.label_map import LabelMap, map_labels
from backend.flows.ml_answers import found_from_json, found_to_json, to_prediction
from backend.formats.label_config import parse_label_config

CONFIG = """<View><Image name="img" value="$photo"/>
  <RectangleLabels name="rect" toName="img" model_score_threshold="0.3">
    <Label value="고양이" predicted_values="cat, kitten"/><Label value="Dog"/>
  </RectangleLabels>
  <RectangleLabels name="off" toName="img" model_skip="true"><Label value="bird"/></RectangleLabels>
  <PolygonLabels name="poly" toName="img"><Label value="sky"/></PolygonLabels>
  <Choices name="quality" toName="img" model_score_threshold="2"><Choice value="good"/><Choice value="bad"/></Choices>
</View>"""
MODEL = ("cat", "dog", "bird", "Sky", "truck")


def mapped(options: dict[str, Any] | None = None, tags: tuple[str, ...] = ()) -> LabelMap:
    return map_labels(parse_label_config(CONFIG), (MODEL, tags), (options or {}, 0.6))


def test_names_match_as_written_then_by_predicted_values_then_without_case() -> None:
    found = mapped().regions
    assert {name: (t.label, t.threshold, t.control) for name, t in found.items()} == {
        "cat": ("고양이", 0.3, "rect"),
        "dog": ("Dog", 0.3, "rect"),
        "Sky": ("sky", 0.6, "poly"),
    }


def test_options_come_before_attributes() -> None:
    options = {"label_map": {"truck": "Dog", "dog": "no such label"}, "thresholds": {"Dog": 0.9}, "threshold": 0.2}
    found = mapped(options).regions
    assert {name: (t.label, t.threshold) for name, t in found.items()} == {
        "cat": ("고양이", 0.3),
        "truck": ("Dog", 0.9),
        "Sky": ("sky", 0.2),
    }


def test_what_does_not_fit_is_told() -> None:
    notes = mapped(tags=("good", "blurred")).notes
    assert notes == (
        "labels of the model that the project does not show: bird, truck",
        "labels of the project that the model does not know: bird",
        "labels of the model that the project does not show: blurred",
        "labels of the project that the model does not know: bad",
    )
    assert mapped(tags=("good",)).tags["good"].threshold == 0.6  # 2 is no threshold


FOUND = Predicted(
    (
        Region("a", "cat", Box(0, 0, 50, 50), 0.31),
        Region("a", "cat", RotatedBox(50, 50, 40, 20, 30), 0.9),
        Region("b", "dog", Box(0, 0, 50, 50), 0.29),
        Region("c", "Sky", Polygon((((0, 0), (100, 0), (100, 20)),)), 0.7),
        Region("d", "truck", Box(0, 0, 50, 50), 0.99),
    ),
    ((Tag("good"), 0.8), (Tag("bad"), 0.1)),
)


def test_a_prediction_holds_what_is_sure_enough_in_the_projects_own_words() -> None:
    made = to_prediction(FOUND, (100, 100), mapped(tags=("good", "bad")), "fewshot-p3-v2")
    assert [(e["from_name"], e["type"], e["score"]) for e in made["result"]] == [
        ("rect", "rectanglelabels", 0.31),
        ("rect", "rectanglelabels", 0.9),
        ("poly", "polygonlabels", 0.7),
        ("quality", "choices", 0.8),
    ]
    assert [e["value"].get("rectanglelabels") for e in made["result"]][:2] == [["고양이"], ["고양이"]]
    assert made["result"][1]["value"]["rotation"] == pytest.approx(30)
    assert len({e["id"] for e in made["result"]}) == 4  # a model of someone else's repeats ids
    assert made["result"][3]["value"] == {"choices": ["good"]}
    assert made["score"] == pytest.approx(0.31)  # the dog that is nearly shown is as doubtful: .346


def test_another_threshold_needs_no_new_inference() -> None:
    kept = found_to_json(FOUND, (100, 100))
    again, size = found_from_json(kept)
    lower = to_prediction(again, size, mapped({"thresholds": {"Dog": 0.2}}), "v")
    assert [e["value"]["rectanglelabels"] for e in lower["result"][:3]] == [["고양이"], ["고양이"], ["Dog"]]
    assert found_to_json(again, size) == kept


def test_an_image_in_which_nothing_is_found_is_an_answer_too() -> None:
    assert to_prediction(Predicted(), (10, 10), mapped(), "v") == {"result": [], "score": 1.0, "model_version": "v"}
