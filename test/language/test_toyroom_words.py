"""The words that the package's weights know."""

import numpy as np
import pytest
import yaml
from places import ROOT

from dsflash_ros import SceneGraphPipeline
from dsflash_ros.graph.words import plain_words
from dsflash_ros.language.opening import Words
from dsflash_ros.weights.loading import open_weights

FILE = ROOT / "dsflash_ros/resources/toyroom_words.yaml"


def test_the_weights_hold_the_words_of_the_file():
    opened = open_weights("toyroom")
    words, language = Words.load(FILE), opened.header.language
    words.check(opened.header.vocabulary)
    assert language.synonyms == words.synonyms
    names = (*opened.header.vocabulary.classes, *opened.header.vocabulary.predicates)
    texts = [text for texts in words.synonyms.values() for text in texts]
    every = {plain_words(text) for text in (*names, *texts, *words.classes, *words.predicates)}
    assert every == set(language.phrases)
    assert opened.phrases().shape == (len(every), 384)
    np.testing.assert_allclose(np.linalg.norm(opened.phrases(), axis=1), 1, atol=2e-3)


def test_no_phrase_stands_for_two_names():
    synonyms = yaml.safe_load(FILE.read_text())["synonyms"]
    texts = [plain_words(text) for texts in synonyms.values() for text in texts]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("seed", range(3))
def test_words_need_no_encoder(seed, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    words = Words.load(FILE)
    random = np.random.default_rng(seed)
    vocabulary = open_weights("toyroom").header.vocabulary
    things = [name for name in vocabulary.things if name in words.synonyms]
    asked = {str(random.choice(words.synonyms[name])): name for name in things}
    new = random.choice(words.predicates, 3, replace=False).tolist()
    pipeline = SceneGraphPipeline.from_weights(
        classes=tuple(asked), predicates=("on", *new), device="cpu"
    )
    assert pipeline.vocabulary.things == tuple(asked)
    assert pipeline.translation.meant_classes[: len(asked)] == tuple(asked.values())
    pipeline(random.integers(0, 256, (120, 160, 3)).astype(np.uint8))
