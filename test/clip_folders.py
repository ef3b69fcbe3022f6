"""A small CLIP with random weights, in a folder as transformers has it. Its words are letters."""

import string

import torch
import transformers

LETTERS = [
    "<|startoftext|>",
    "<|endoftext|>",
    *string.ascii_lowercase,
    *(f"{letter}</w>" for letter in string.ascii_lowercase),
]
TOKENS = 24


def write_clip(folder, blocks=2, side=32):
    """Write it and its tokenizer; the model, in eval mode.

    It has so many blocks in each half, and images of that side in patches of 8.
    """
    torch.manual_seed(0)
    words = {letter: number for number, letter in enumerate(LETTERS)}
    tokenizer = transformers.CLIPTokenizerFast(vocab=words, merges=[])
    tokenizer.model_max_length = TOKENS
    tokenizer.save_pretrained(folder)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": blocks}
    sizes |= {"num_attention_heads": 2, "projection_dim": 12}
    text = sizes | {"vocab_size": len(LETTERS), "max_position_embeddings": TOKENS}
    text |= {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    config = transformers.CLIPConfig(
        text_config=text,
        vision_config=sizes | {"image_size": side, "patch_size": 8},
        projection_dim=12,
    )
    model = transformers.CLIPModel(config).eval()
    model.save_pretrained(folder)
    return model
