"""Names that no file system, trainer or Windows machine trips over."""

import itertools
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.core.names import STEM_BYTES, Namer, assign_stems, file_name, safe_stem

A, B, C = "a" * 64, "b" * 64, "c" * 64
FORBIDDEN = set('/\\:*?"<>|')
HOSTILE = st.one_of(
    st.text(max_size=60),
    st.text(alphabet='aA.%/\\:*?"<>|\0\n 고é💥-_0', max_size=60),
    st.sampled_from(["../../etc/passwd", "CON.png", "고양이" * 67 + ".jpg", "%2e%2e%2fx.jpg", "\ud800.jpg", ""]),
)


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("raccoon-7.jpg", "raccoon-7"),
        ("1a2b3c4d-raccoon-7.jpg", "raccoon-7"),
        ("1A2B3C4D-raccoon-7.jpg", "1A2B3C4D-raccoon-7"),  # Label Studio's prefix is lower case
        ("1a2b3c4d-.jpg", "1a2b3c4d-"),
        ("photo.JPEG", "photo"),
        ("archive.tar.png", "archive.tar"),
        ("frame.0001", "frame.0001"),
        ("a b\tc.jpg", "a_b_c"),
        ("a%20b%26.jpg", "a_b&"),
        ("100%.jpg", "100%"),
        ("%ff%fe.jpg", "%ff%fe"),  # not UTF-8, so not an escape
        ("don't #1.jpg", "don't_#1"),
        ('q"u?e*s<t>i|o:n.jpg', "q_u_e_s_t_i_o_n"),
        ("고양이 사진.jpg", "고양이_사진"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("..%2F..%2Fx.jpg", "_.._x"),
        ("C:\\photos\\x.jpg", "C__photos_x"),
        ("...hidden.jpg", "hidden"),
        ("trailing...jpg", "trailing"),
        ("CON.png", "_CON"),
        ("nul", "_nul"),
        ("com1.old.jpg", "_com1.old"),
        ("console.jpg", "console"),
        ("👨‍👩‍👧.png", "👨‍👩‍👧"),
        ("a\u202egpj.exe", "a_gpj.exe"),  # text that runs backwards hides its ending
        ("\ud800x.jpg", "_x"),
        (".jpg", "jpg"),
        ("", "image"),
        ("...", "image"),
        ("/", "_"),
    ],
)
def test_stems(name: str, stem: str) -> None:
    assert safe_stem(name) == stem


def test_composed_and_decomposed_names_are_the_same() -> None:
    name = "고양이é.jpg"
    assert safe_stem(unicodedata.normalize("NFD", name)) == safe_stem(name) == "고양이é"


def test_long_names_are_cut_between_characters() -> None:
    stem = safe_stem("고" * 200 + ".jpg")
    assert stem == "고" * 33
    assert len(stem.encode()) == 99


@settings(max_examples=300, deadline=None)
@given(HOSTILE)
def test_any_name_becomes_a_usable_stem(name: str) -> None:
    stem = safe_stem(name)
    assert 0 < len(stem.encode()) <= STEM_BYTES
    assert not FORBIDDEN & set(stem)
    assert not stem.startswith(".")
    assert all(unicodedata.category(c)[0] not in "ZC" or c in "\u200c\u200d" for c in stem)
    assert len(file_name(stem, 100, ".jpg").encode()) < 255


def test_single_names_stay_and_equal_ones_all_get_their_hash() -> None:
    assert assign_stems([("cat.jpg", A), ("dog.jpg", B)]) == ["cat", "dog"]
    assert assign_stems([("cat.jpg", A), ("CAT.png", B), ("dog.jpg", C)]) == ["cat_aaaaaa", "CAT_bbbbbb", "dog"]


def test_copies_are_numbered_in_order() -> None:
    assert assign_stems([("cat.jpg", A)] * 3) == ["cat_aaaaaa", "cat_aaaaaa_2", "cat_aaaaaa_3"]


def test_copies_under_other_spellings_do_not_depend_on_the_order() -> None:
    assert assign_stems([("b.png", A), ("B.png", A)]) == ["b_aaaaaa_2", "B_aaaaaa"]
    assert assign_stems([("B.png", A), ("b.png", A)]) == ["B_aaaaaa", "b_aaaaaa_2"]


def test_equal_beginnings_of_hashes_get_more_digits() -> None:
    first, second = "a" * 6 + "0" * 58, "a" * 6 + "1" * 58
    assert assign_stems([("x.jpg", first), ("x.jpg", second)]) == ["x_aaaaaa0000000000", "x_aaaaaa1111111111"]


def test_a_name_that_looks_like_a_resolved_one_does_not_clash() -> None:
    items = [("x.jpg", A), ("x.jpg", B), ("x_aaaaaa.jpg", C), ("x_aaaaaa_2.jpg", B), ("x.jpg", A)]
    stems = assign_stems(items)
    assert len({stem.casefold() for stem in stems}) == len(items)


def test_names_equal_up_to_their_cut_are_told_apart() -> None:
    stems = assign_stems([("고" * 60 + "1.jpg", A), ("고" * 60 + "2.jpg", B)])
    assert stems == ["고" * 33 + "_aaaaaa", "고" * 33 + "_bbbbbb"]


NAMES = st.sampled_from(["x.jpg", "X.JPG", "x.png", "x_aaaaaa.jpg", "x_aaaaaa_2.jpg", "y.jpg", "고.jpg", "X_AAAAAA_2"])
ITEMS = st.lists(st.tuples(NAMES, st.sampled_from([A, B, "a" * 6 + "b" * 58])), max_size=9)


@settings(max_examples=200, deadline=None)
@given(ITEMS, st.randoms(use_true_random=False))
def test_stems_are_unique_and_independent_of_order(items: list[tuple[str, str]], random) -> None:
    stems = assign_stems(items)
    assert len({stem.casefold() for stem in stems}) == len(items)
    shuffled = random.sample(items, len(items))
    by_item = sorted(zip(items, stems, strict=True))
    assert sorted(zip(shuffled, assign_stems(shuffled), strict=True)) == by_item


def test_file_names_carry_two_digits_or_more() -> None:
    assert file_name("cat", 0, ".jpg") == "cat_v00.jpg"
    assert file_name("cat", 123, ".png") == "cat_v123.png"


def test_a_stream_is_named_as_it_comes() -> None:
    namer = Namer()
    given_names = [namer.assign(name, A, ".jpg") for name in ("x.jpg", "X.png", "x.bmp", "y.jpg")]
    assert given_names == ["x.jpg", "X_aaaaaa.jpg", "x_aaaaaa_2.jpg", "y.jpg"]


def test_a_stream_of_equal_names_stays_unique() -> None:
    namer = Namer()
    names = [namer.assign(n, s, ".jpg") for n, s in itertools.product(["x", "x_aaaaaa", "x_aaaaaa_2"], [A, B] * 3)]
    assert len({name.casefold() for name in names}) == len(names)
