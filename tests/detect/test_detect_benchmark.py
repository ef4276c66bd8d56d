"""The benchmark of the default detector trains for an hour; here its split and how it tells what it found."""

from benchmarks.detect import CONFIGS, Row, section, split


def test_the_blood_images_are_divided_as_the_targets_say(data_dir):
    holdout, rest, labels = split("bccd")
    assert (len(holdout), len(rest)) == (50, 149)
    assert not {one.path for one in holdout} & {one.path for one in rest}
    assert set(labels) == {"RBC", "WBC", "Platelets"}
    assert sum(len(one.boxes) for one in holdout) > 400


def test_the_figures_are_told_with_their_spread_and_targets():
    rows = {name: [Row(0.4 + seed / 100, 0.8, 250, 0.39 + seed / 100, 30, 15) for seed in range(3)] for name in CONFIGS}
    text = section(rows).markdown()
    assert "| blood cells, N = 149 | 0.410 (0.400 to 0.420) | 0.800 (0.800 to 0.800) | 250 (250 to 250) |" in text
    assert "| int8, images a second | fp32 | 2.00 / **2.00** / 2.00 | 12 | >= 1.6 |" in text
    assert "-0.010 on average" in text
