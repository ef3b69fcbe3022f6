import numpy as np
import pytest

from dsflash_ros.errors import LanguageError, WeightsError
from dsflash_ros.language.available import AvailableEncoder, check_same
from dsflash_ros.language.text_encoder import PhraseTable
from dsflash_ros.model.language import Language

SHA = "a" * 64
STORED = PhraseTable(["cup", "on"], np.eye(2, 3), SHA)
OTHER = PhraseTable(["dog", "near"], np.array([[1, 1, 0], [0, 0, 2.0]]), SHA)


def test_stored_phrases_need_no_encoder():
    def never():
        raise AssertionError("the encoder was opened")

    encoder = AvailableEncoder(STORED, never)
    np.testing.assert_array_equal(encoder.encode(["on", "cup", "on"]), np.eye(2, 3)[[1, 0, 1]])
    assert encoder.encode([]).shape == (0, 3)


def test_strange_phrases_are_encoded_once():
    opened = []
    encoder = AvailableEncoder(STORED, lambda: opened.append(1) or OTHER)
    half = np.sqrt(0.5)
    for _ in range(2):
        found = encoder.encode(["dog", "cup", "near", "dog"])
        expected = [[half, half, 0], [1, 0, 0], [0, 0, 1], [half, half, 0]]
        np.testing.assert_allclose(found, expected, atol=1e-6)
    assert opened == [1]


def test_an_encoder_that_cannot_be_had_is_one_sentence():
    def missing():
        raise WeightsError("the hub cannot be reached")

    encoder = AvailableEncoder(STORED, missing)
    with pytest.raises(LanguageError, match=r"'dog' is stored.*cannot be reached"):
        encoder.encode(["cup", "dog"])


def test_embeddings_of_another_encoder_are_refused():
    check_same(STORED, Language("org/name", SHA))
    with pytest.raises(LanguageError, match="org/name of bbbbbbbbbbbb…: their embeddings do not"):
        check_same(STORED, Language("org/name", "b" * 64))
