"""Previews: originals beside variants, and the worst found by brute force too."""

import pytest

from backend.augment.pipeline import Drawn, Pipeline
from backend.augment.preview import Loaded, damage, preview, rank, worst
from backend.augment.render import contact_sheet
from backend.core.model import Box, Ellipse, Region, Sample
from backend.core.recipe import parse_recipe
from tests.augment.test_steps import photo

STEPS = [
    {"Affine": {"rotate": [-30, 30], "scale": [0.5, 1.3], "translate_percent": [-0.3, 0.3], "p": 0.9}},
    {"RandomBrightnessContrast": {"p": 0.5}},
]
RECIPE = parse_recipe({"steps": STEPS, "boxes": {"min_visibility": 0.5}})


def loaded(number: int) -> Loaded:
    regions = (Region("r1", "cat", Box(20, 20, 70, 60)), Region("r2", "dog", Ellipse(60, 30, 20, 12)))
    name = f"photo{number}.jpg"
    return Loaded(Sample(name, f"/x/{name}", name, 96, 72, regions), photo(number), f"{number:064x}")


def test_a_row_holds_the_original_and_its_variants() -> None:
    rows = preview([loaded(1), loaded(2)], Pipeline(RECIPE), 3)
    assert [row.title for row in rows] == ["photo1.jpg", "photo2.jpg"]
    assert [len(row.tiles) for row in rows] == [4, 4]
    first = rows[0].tiles[0]
    assert (first.caption, first.numbers, first.detail) == ("original", "2 regions", "96 x 72")
    assert first.rgb is not None
    assert all(tile.numbers for row in rows for tile in row.tiles)
    assert contact_sheet(rows).ndim == 3


def test_a_variant_that_was_given_up_says_why_and_shows_no_picture() -> None:
    crop = parse_recipe({"steps": [{"Crop": {"x_max": 25, "y_max": 72}}], "boxes": {"min_visibility": 0.5}})
    tile = preview([loaded(1)], Pipeline(crop), 1)[0].tiles[1]
    assert (tile.rgb, tile.tone, tile.detail) == (None, "poor", "10 attempts")
    assert tile.numbers == "region r1 (cat): visibility 0.10 < 0.5 after 1 Crop"


def test_rank_finds_the_most_damaged_of_all_draws() -> None:
    samples, pipeline = [loaded(1), loaded(2), loaded(3)], Pipeline(RECIPE)
    found = rank(samples, pipeline, draws=30, shown=5)
    everything = []
    for one in samples:
        before = pipeline.prepare(one.rgb, one.sample.regions).regions
        for variant in range(1, 11):
            drawn = pipeline.draw(one.rgb, one.sample.regions, one.sha256, variant)
            if isinstance(drawn, Drawn):
                everything.append(damage(drawn, before))
    assert [item.damage for item in found] == sorted(everything, reverse=True)[:5]


def test_the_worst_come_in_rows_with_their_damage() -> None:
    rows = worst([loaded(1), loaded(2)], Pipeline(RECIPE), draws=20, shown=6)
    assert [len(row.tiles) for row in rows] == [4, 2]
    assert rows[0].tiles[0].caption.startswith("1. photo")
    assert rows[0].tiles[0].numbers.startswith("damage ")
    assert worst([], Pipeline(RECIPE)) == ()


def test_damage_is_none_for_a_flip_and_counts_loss_looseness_and_shrinking() -> None:
    def hurt(step: object) -> float:
        pipeline = Pipeline(parse_recipe({"steps": [step], "boxes": {"min_visibility": 0, "min_size": 0}}))
        region = (Region("r", "cat", Box(0, 0, 40, 40)),)
        drawn = pipeline.draw(photo(1), region, "0" * 64, 1)
        assert isinstance(drawn, Drawn)
        return damage(drawn, region)

    assert hurt({"HorizontalFlip": {"p": 1}}) == 0
    assert hurt({"Resize": {"width": 48, "height": 36}}) == pytest.approx(0.25)
    assert hurt({"Crop": {"x_max": 20, "y_max": 72}}) == pytest.approx(0.5 + 0.25)
    assert hurt({"SafeRotate": {"limit": [45, 45], "p": 1}}) > 1
