import json

import pytest
from places import SHARED

from dsflash_ros.data.shapes import VOCABULARY, write_shapes
from dsflash_ros.errors import WeightsError
from dsflash_ros.graph.vocabulary import NAMED, Vocabulary
from dsflash_ros.model.checkpoints import read_header
from dsflash_ros.toyroom import VOCABULARY as toyroom_vocabulary
from dsflash_ros.weights.names import locate


def test_psg_has_its_published_sizes_and_order():
    psg = Vocabulary.psg()
    assert (len(psg.things), len(psg.stuff), len(psg.predicates)) == (80, 53, 56)
    assert (
        psg.classes[0] == "person"
        and psg.classes[79] == "toothbrush"
        and psg.classes[80] == "banner"
    )
    assert psg.predicates[0] == "over" and psg.predicates[55] == "leaning on"
    assert psg.is_thing(79) and not psg.is_thing(80)


def test_psg_agrees_with_the_data_set():
    path = SHARED / "data/psg/vocabulary.json"
    if not path.exists():
        pytest.skip("PSG's own vocabulary file is not on this machine")
    theirs, psg = json.loads(path.read_text()), Vocabulary.psg()
    assert [*psg.things] == theirs["thing_classes"]
    assert [*psg.stuff] == theirs["stuff_classes"]
    assert [*psg.predicates] == theirs["predicate_classes"]


def test_json_round_trip_and_files(tmp_path):
    vocabulary = Vocabulary(("a", "b"), ("c",), ("on",))
    path = tmp_path / "v.json"
    path.write_text(vocabulary.to_json())
    assert Vocabulary.load(str(path)) == vocabulary


def test_vocabularies_that_come_with_the_package():
    assert Vocabulary.load("psg") == Vocabulary.psg()
    toyroom = Vocabulary.load("toyroom")
    assert toyroom == toyroom_vocabulary == read_header(locate("toyroom")).vocabulary
    assert (len(toyroom.things), len(toyroom.stuff), len(toyroom.predicates)) == (18, 12, 16)
    assert set(NAMED) == {"psg", "toyroom"}


def test_a_data_set_has_a_vocabulary(tmp_path):
    write_shapes(tmp_path, 1, height=32, width=32)
    assert Vocabulary.load(str(tmp_path / "psg.json")) == VOCABULARY


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not a vocabulary"),
        ("3", "TypeError"),
        ("[" * 100_000, "RecursionError"),
        ('{"things": ["a"]}', "KeyError: 'stuff'"),
        ('{"thing_classes": ["a"], "stuff_classes": []}', "KeyError: 'predicate_classes'"),
        ('{"things": "abc", "stuff": [], "predicates": ["on"]}', "they must be lists"),
        (
            '{"things": ["a", "a"], "stuff": [], "predicates": ["on"]}',
            "class names must be unique, these are not: a",
        ),
        ('{"things": ["a"], "stuff": ["a"], "predicates": ["on"]}', "must be unique"),
        ('{"things": ["a"], "stuff": [], "predicates": []}', "no predicate name"),
        ('{"things": [1], "stuff": [], "predicates": ["on"]}', "non-empty strings"),
    ],
)
def test_bad_vocabularies(text, says, tmp_path):
    path = tmp_path / "v.json"
    path.write_text(text)
    with pytest.raises(WeightsError, match=says):
        Vocabulary.load(str(path))


def test_missing_file(tmp_path):
    with pytest.raises(
        WeightsError,
        match=r"cannot read the vocabulary .*; give 'psg' or 'toyroom', or a JSON file",
    ):
        Vocabulary.load(str(tmp_path / "none.json"))
    with pytest.raises(WeightsError, match="cannot read the vocabulary '~nouser/v"):
        Vocabulary.load("~nouser/v.json")
