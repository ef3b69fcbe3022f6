import numpy as np
import pytest

from dsflash_ros.errors import LanguageError
from dsflash_ros.graph.words import plain_words
from dsflash_ros.language.text_encoder import PhraseTable
from dsflash_ros.language.wording import MOST_NAMES, KnownNames, check_names

KNOWN = ("cup", "dining table", "wall-other-merged", "person")
SYNONYMS = {"cup": ["mug", "teacup"]}
DIRECTIONS = {
    "cup": (1, 0, 0, 0),
    "mug": (0.9, 0.1, 0, 0),
    "teacup": (0.9, 0, 0.1, 0),
    "dining table": (0, 1, 0, 0),
    "wall": (0, 0, 1, 0),
    "person": (0, 0, 0, 1),
    "beaker": (0.9, 0.3, 0, 0),
    "goblet": (0.95, 0.3, 0, 0),
    "dog": (0, 0.3, 0.3, 0.5),
    "zebra": (0.1, 0.1, 0.1, 0.1),
}
TABLE = PhraseTable(list(DIRECTIONS), np.array(list(DIRECTIONS.values())), "0" * 64)


def names(synonyms=SYNONYMS):
    return KnownNames("classes", KNOWN, "some", synonyms)


def worded(*asked, snap=0.9, synonyms=SYNONYMS):
    return names(synonyms).open_wording(asked, plain_words, TABLE, snap)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("wall-other-merged", "wall"),
        ("Dining_Table", "dining table"),
        ("door-stuff", "door"),
        (" Floor-Wood ", "floor wood"),
        ("other", "other"),
        ("чашка", "чашка"),
    ],
)
def test_plain_words(name, words):
    assert plain_words(name) == words


def test_known_names_and_plain_words_need_no_encoder():
    wording = names().closed_wording(["Person", "wall", "mug"])
    assert [meaning.known for meaning in wording.meanings] == ["person", "wall-other-merged", "cup"]
    assert wording.inner.tolist() == [3, 2, 0]
    assert not wording.is_new


def test_a_closed_vocabulary_says_what_it_knows():
    with pytest.raises(LanguageError, match=r"closed vocabulary without 'dog' .*; they know 'cup'"):
        names().closed_wording(["dog", "cup"])


def test_a_strange_word_means_the_nearest_known_phrase():
    wording = worded("beaker", "person")
    assert wording.meanings[0].known == "cup" and not wording.meanings[0].is_new
    best = max(TABLE.encode(["beaker"])[0] @ TABLE.encode(["cup", "mug", "teacup"]).T)
    assert wording.meanings[0].similarity == pytest.approx(best)
    assert wording.inner.tolist() == [0, 3]


def test_a_word_that_is_nearer_to_another_one_is_new():
    assert worded("beaker").meanings[0].known == "cup"
    for others, is_new in ((["goblet"], True), (["zebra", "cup", "mug"], False)):
        wording = names().open_wording(["beaker"], plain_words, TABLE, 0.9, others)
        assert wording.is_new == is_new
    # a stored word that is no synonym stands for itself
    assert names().open_wording(["goblet"], plain_words, TABLE, 0.9, ["goblet"]).is_new


def test_of_two_words_for_one_name_the_nearer_has_it():
    wording = worded("beaker", "goblet", synonyms={})
    assert [meaning.known for meaning in wording.meanings] == ["cup", "cup"]
    assert wording.inner.tolist() == [-1, 0]
    assert worded("beaker", "cup").inner.tolist() == [-1, 0]
    assert worded("mug", "Cup").inner.tolist() == [-1, 0]


def test_a_new_word_stands_beside_the_known_names():
    wording = worded("dog", "cup")
    assert wording.meanings[0].known == "person" and wording.meanings[0].is_new
    assert wording.inner.tolist() == [len(KNOWN), 0]
    assert wording.meant == ("", "cup")
    np.testing.assert_allclose(wording.embeddings, TABLE.encode(["dog"]))


def test_several_new_words_keep_their_order():
    wording = worded("zebra", "dog", snap=0.99)
    assert wording.inner.tolist() == [len(KNOWN), len(KNOWN) + 1]
    np.testing.assert_allclose(wording.embeddings, TABLE.encode(["zebra", "dog"]))


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        (["cup", " "], "a name is empty"),
        (["cup", "mug", "cup"], "'cup' is asked for more than once"),
        ([str(n) for n in range(MOST_NAMES + 1)], "are too many"),
    ],
)
def test_lists_that_cannot_be_asked(asked, problem):
    with pytest.raises(LanguageError, match=f"classes: .*{problem}"):
        check_names("classes", asked)


def test_thousands_of_names():
    phrases = [f"thing {n}" for n in range(5000)]
    random = np.random.default_rng(0)
    table = PhraseTable([*DIRECTIONS, *phrases], random.normal(size=(5000 + 10, 4)), "0" * 64)
    wording = names().open_wording([*phrases, "cup"], plain_words, table, 2.0)
    assert wording.inner[-1] == 0
    assert (wording.inner[:-1] == np.arange(5000) + len(KNOWN)).all()


def test_a_phrase_that_is_not_stored():
    with pytest.raises(LanguageError, match="no embedding of 'spoon' is stored"):
        worded("spoon")
