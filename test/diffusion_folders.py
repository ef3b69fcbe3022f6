"""Folders of diffusion models with random weights, for tests."""

import torch

from dsflash_ros.data.shapes import VOCABULARY
from dsflash_ros.model.diffusion.architectures import DIFFUSION_ARCHITECTURES

SCHEDULER = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "steps_offset": 1,
    "set_alpha_to_one": False,
}


def write_toy_folder(folder, seed=0):
    """The architecture "toy", and a text encoder of one layer that knows the words of shapes."""
    from diffusers import DDIMScheduler, UNet2DConditionModel
    from transformers import (
        BertConfig,
        BertModel,
        BertTokenizerFast,
        CLIPVisionConfig,
        CLIPVisionModelWithProjection,
    )

    torch.manual_seed(seed)
    sizes = DIFFUSION_ARCHITECTURES["toy"]
    UNet2DConditionModel(**sizes.unet).save_pretrained(folder / "unet")
    vision = CLIPVisionModelWithProjection(CLIPVisionConfig(**sizes.image_encoder))
    vision.save_pretrained(folder / "image_encoder")
    DDIMScheduler(**SCHEDULER).save_pretrained(folder / "scheduler")
    names = " ".join([*VOCABULARY.classes, *VOCABULARY.predicates, "is", ","]).replace("-", " ")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted(set(names.split()))]
    (folder / "tokenizer").mkdir(parents=True)
    (folder / "words.txt").write_text("\n".join(words) + "\n")
    tokenizer = BertTokenizerFast(vocab={word: number for number, word in enumerate(words)})
    tokenizer.save_pretrained(folder / "tokenizer")
    text = BertConfig(
        vocab_size=len(words),
        hidden_size=384,
        num_hidden_layers=1,
        num_attention_heads=4,
        intermediate_size=64,
    )
    BertModel(text).save_pretrained(folder / "text_encoder")
    return folder
