import pytest
import torch

from dsflash_ros.model.diffusion.text_tokens import TextTokens

transformers = pytest.importorskip("transformers", reason="the extra `diffusion` is not installed")

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "cup", "is", "on", "table"]
SIZES = {"vocab_size": len(WORDS), "hidden_size": 16, "num_hidden_layers": 2}
SIZES |= {"num_attention_heads": 2, "intermediate_size": 8}


@pytest.fixture
def tokenizer():
    vocab = {word: number for number, word in enumerate(WORDS)}
    return transformers.BertTokenizerFast(vocab=vocab, model_max_length=12)


@torch.no_grad()
def test_tokens_are_the_last_hidden_states_of_padded_texts(tokenizer):
    """A BERT does not read its padding."""
    model = transformers.BertModel(transformers.BertConfig(**SIZES)).eval()
    found = TextTokens(tokenizer, model)(["cup is on table", "table"])
    assert found.shape == (2, 12, 16)
    ids = torch.tensor([[2, 5, 6, 7, 8, 3], [2, 8, 3, 0, 0, 0]])
    mask = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0]])
    expected = model(ids, attention_mask=mask).last_hidden_state
    torch.testing.assert_close(found[0, :6], expected[0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found[1, :3], expected[1, :3], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_clip_reads_its_padding_as_stable_diffusion_lets_it(tokenizer):
    config = transformers.CLIPTextConfig(**SIZES, max_position_embeddings=12, eos_token_id=3)
    model = transformers.CLIPTextModel(config).eval()
    found = TextTokens(tokenizer, model, 8)(["cup is on table", "table"])
    ids = torch.tensor([[2, 5, 6, 7, 8, 3, 0, 0], [2, 8, 3, 0, 0, 0, 0, 0]])
    torch.testing.assert_close(found, model(ids).last_hidden_state, atol=1e-5, rtol=1e-5)


def test_long_texts_are_cut_and_counted_whole(tokenizer):
    tokens = TextTokens(
        tokenizer, transformers.BertModel(transformers.BertConfig(**SIZES)), length=4
    )
    assert tokens(["cup is on table"]).shape == (1, 4, 16)
    assert tokens.count("cup is on table") == 6
    assert not any(part.requires_grad for part in tokens.encoder.parameters())
