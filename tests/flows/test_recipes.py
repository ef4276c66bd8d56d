"""Recipe files as people write them: every problem named at once, nothing that makes little of much or the reverse."""

import os
from pathlib import Path

import pytest

from backend.augment.catalog import check
from backend.core.errors import RecipeError, UsageError
from backend.flows.recipes import list_recipes, load_recipe
from backend.settings import Settings

STEPS = "steps: [{HorizontalFlip: {p: 1}}]\n"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache")


def problems(text: str, tmp_path: Path, settings: Settings) -> tuple[str, ...]:
    path = tmp_path / "r.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError) as error:
        check(load_recipe(str(path), settings))
    assert all(len(problem) < 400 for problem in error.value.problems)
    return error.value.problems


def test_every_kind_of_problem_comes_at_once(tmp_path: Path, settings: Settings) -> None:
    text = (
        "stepz: 1\nlabels: {cat: [x], dog: [x]}\noutput: {formats: [yolo, foo]}\n"
        "steps: [3, {HorizontalFlp: {}}, {Affine: {rotat: 3}}]\n"
    )
    found = " / ".join(problems(text, tmp_path, settings))
    for part in (
        "stepz: unknown key",
        "'x' stands under both",
        "unknown format 'foo'",
        "step 1: a step is written as",
        "step 2 HorizontalFlp: no such transform; did you mean 'HorizontalFlip'?",
        "step 3 Affine: rotat",
    ):
        assert part in found
    assert "step 1 HorizontalFlip" not in found


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"variants: 2\nvariants: 3\n{STEPS}", "line 2: the key 'variants' stands twice"),
        ("[" * 20_000, "nested more than 32 levels deep"),
        ("name: x\nsteps: &a [*a]\n", "line 2: an alias stands inside of what it repeats"),
        ("name: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ("variants: 2\nsteps: []", "variants: 2 variants without any step would be copies"),
        ("variants: {cat: 3}\nname: x", "variants: 3 variants without any step would be copies"),
        (f"variants: 0\nkeep_originals: false\n{STEPS}", "leaves nothing to write"),
        (f"steps: [{{Affine: {{rotate: {'x' * 9999}}}}}]", "rotate: must be"),
        (f"steps: [{{{'x' * 999}: {{}}}}]", "no such transform"),
    ],
)
def test_a_problem_is_named(text: str, problem: str, tmp_path: Path, settings: Settings) -> None:
    assert any(problem in found for found in problems(text, tmp_path, settings))


def test_originals_alone_need_no_step(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "r.yaml").write_text("variants: 0")
    check(load_recipe(str(tmp_path / "r.yaml"), settings))


def test_what_is_no_text_is_refused_with_a_fix(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "r.yaml").write_bytes(b"\xff\xfe\x00name")
    (tmp_path / "folder.yaml").mkdir()
    given = [(tmp_path / "r.yaml", "not text in UTF-8"), (tmp_path / "folder.yaml", "is a folder")]
    for path, cause in (*given, ("x" * 5000, "no recipe file 'xxx")):
        with pytest.raises(UsageError, match=cause) as error:
            load_recipe(str(path), settings)
        assert error.value.fix and len(str(error.value)) < 400


def test_odd_files_among_the_recipes_do_not_hide_the_others(settings: Settings) -> None:
    settings.recipes_dir.mkdir(parents=True)
    (settings.recipes_dir / "a.yaml").mkdir()
    (settings.recipes_dir / "b.yaml").write_bytes(b"# caf\xe9\n")
    os.mkfifo(settings.recipes_dir / "c.yaml")
    names = [recipe.name for recipe in list_recipes(settings)]
    assert "b" in names and "street-default" in names and not {"a", "c"} & set(names)
