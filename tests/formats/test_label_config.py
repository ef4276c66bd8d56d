"""Labelling configs: order of labels, several controls, what is refused and why."""

from pathlib import Path

import pytest

from backend.core.errors import UsageError
from backend.formats.label_config import add_names, parse_label_config

MANY = """<View>
  <!-- comment -->
  <Style>.a {}</Style>
  <Image name="img" value="$photo"/>
  <PolygonLabels name="poly" toName="img"><Label value="dog"/><Label value="red panda"/></PolygonLabels>
  <RectangleLabels name="rect" toName="img">
    <View><Label value="고양이 🐈"/><Label value="dog"/><Label value="a/b" alias="slash"/></View>
  </RectangleLabels>
  <BrushLabels name="brush" toName="img"><Label value="sky"/></BrushLabels>
  <KeyPointLabels name="kp" toName="img"><Label value="nose"/></KeyPointLabels>
  <EllipseLabels name="ell" toName="img"><Label value="dog"/></EllipseLabels>
  <Choices name="quality" toName="img"><Choice value="good"/><Choice value="bad"/></Choices>
  <Choices name="perreg" toName="img" perRegion="true"><Choice value="left"/></Choices>
  <TextArea name="t" toName="img"/>
</View>"""


def test_labels_stand_in_the_order_of_the_config_over_all_controls() -> None:
    config = parse_label_config(MANY)
    assert (config.image_key, config.image_name) == ("photo", "img")
    assert config.labels == ("dog", "red panda", "고양이 🐈", "slash", "sky", "nose")
    assert config.tags == ("good", "bad")
    assert [c.kind for c in config.controls] == ["polygon", "rectangle", "brush", "keypoint", "ellipse", "choices"]


def test_a_control_is_found_by_kind_and_label() -> None:
    two = parse_label_config(
        '<View><Image name="i" value="$image"/>'
        '<RectangleLabels name="a" toName="i"><Label value="cat"/></RectangleLabels>'
        '<RectangleLabels name="b" toName="i"><Label value="dog"/></RectangleLabels></View>'
    )
    assert [two.find("rectangle", label).name for label in ("cat", "dog", "new")] == ["a", "b", "a"]  # type: ignore[union-attr]
    assert two.find("brush", "cat") is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<View>", "not valid XML"),
        ('<View><Text name="t" value="$text"/></View>', "0 Image tags"),
        ('<View><Image name="a" value="$a"/><Image name="b" value="$b"/></View>', r"2 Image tags \(a, b\)"),
        ('<View><Image name="a" valueList="$all"/></View>', "list of images"),
        ('<View><Image name="a" value="http://x/y.jpg"/></View>', "not a task key"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        parse_label_config(text)


def test_entities_are_not_expanded(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hidden")
    text = (
        f'<!DOCTYPE View [<!ENTITY x SYSTEM "file://{secret}">]><View><Image name="i" value="$image"/>'
        '<RectangleLabels name="r" toName="i"><Label value="a"/>&x;</RectangleLabels></View>'
    )
    assert "hidden" not in add_names(text, ["b"], [])


def test_missing_names_are_appended_and_present_ones_stay_put() -> None:
    text = add_names(MANY, ["dog", "ghost <&>"], ["ugly"])
    config = parse_label_config(text)
    assert config.labels == ("dog", "red panda", "ghost <&>", "고양이 🐈", "slash", "sky", "nose")
    assert config.tags == ("good", "bad", "ugly")
    assert add_names(MANY, ["dog"], ["bad"]) is MANY


@pytest.mark.parametrize("name", ["bbox", "bbox_polygon_brush", "choices"])
def test_shipped_configs_are_usable(name: str) -> None:
    text = (Path(__file__).parents[2] / "label_config" / f"{name}.xml").read_text()
    config = parse_label_config(text)
    assert config.image_key == "image"
    assert config.labels or config.tags
