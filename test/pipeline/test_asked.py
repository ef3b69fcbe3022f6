"""What can be asked for, and what an empty list asks for beside names."""

import logging

import numpy as np
import pytest

from dsflash_ros import SceneGraphPipeline
from dsflash_ros.errors import LanguageError
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.language.text_encoder import PhraseTable
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.header import Header
from dsflash_ros.pipeline.asking import Asked, Asking
from dsflash_ros.weights.loading import open_weights


@pytest.fixture(scope="module")
def toyroom():
    """Its header, and what encodes words for it: those that it stores, and "davenport"."""
    opened = open_weights("toyroom")
    language, stored = opened.header.language, opened.phrases()
    couch = stored[language.phrases.index("couch")]
    phrases = (*language.phrases, "davenport")
    return opened.header, PhraseTable(phrases, np.vstack((stored, couch)), language.sha256)


@pytest.mark.parametrize(
    ("kind", "names", "known"),
    [
        ("classes", ("rug", "person"), "rug-merged"),  # in plain words
        ("classes", ("carpet",), "rug-merged"),  # a stored synonym
        ("stuff_classes", ("mug", "wall"), "cup"),
        ("stuff_classes", ("davenport",), "couch"),  # its phrase is the nearest
    ],
)
def test_an_empty_list_does_not_ask_for_what_an_asked_name_means(
    toyroom, kind, names, known, caplog
):
    header, encoder = toyroom
    asking = Asking.of(Asked(**{kind: names}), header, "toyroom", encoder)
    told, learned = asking.translation.asked, header.vocabulary
    given, rest, every = told.things, told.stuff, learned.stuff
    if kind == "stuff_classes":
        given, rest, every = told.stuff, told.things, learned.things
    assert given == names
    assert rest == tuple(name for name in every if name != known)
    class_id = asking.translation.classes[asking.translation.inner.classes.index(known)]
    assert told.classes[class_id] == names[0]
    with caplog.at_level(logging.WARNING):
        asking.log("toyroom")
    assert "as another asked name does" not in caplog.text


def test_nor_does_it_with_weights_without_a_language():
    known = Vocabulary(("person", "cup"), ("wall-other-merged", "rug-merged"), ("on",))
    header = Header(ModelConfig.for_vocabulary(known, image_size=64), known)
    asking = Asking.of(Asked(classes=("Rug", "person")), header, "some", None)
    assert asking.translation.asked.classes == ("Rug", "person", "wall-other-merged")
    assert asking.guesses() == []


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"classes": "cup"}, r"^classes must be a list of names, as \['cup'\], not 'cup' alone$"),
        ({"stuff_classes": b"wall"}, "^stuff_classes must be a list of names, not b'wall'$"),
        ({"predicates": 7}, "^predicates must be a list of names, not 7$"),
        ({"classes": ["cup", 3]}, "^classes must be strings, not 3$"),
        ({"predicates": [True]}, "^predicates must be strings, not True; YAML reads on, off, yes "),
    ],
)
def test_what_is_no_list_of_names(asked, says):
    pipeline = SceneGraphPipeline.from_weights("random-tiny", device="cpu")
    with pytest.raises(LanguageError, match=says):
        pipeline.ask(**asked)
    assert pipeline.asked == Asked()
    with pytest.raises(LanguageError, match=says):  # before weights are looked for
        SceneGraphPipeline.from_weights("/nowhere/none.safetensors", **asked)


def test_names_may_come_from_any_collection():
    names = iter(["cup", "bowl"])
    asked = Asked(names, np.array(["wall"]), None)
    assert asked == Asked(("cup", "bowl"), ("wall",))
