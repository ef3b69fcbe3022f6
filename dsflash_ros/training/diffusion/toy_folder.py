"""Makes the toy diffusion model from a data set, as a folder that diffusers can read."""

import logging
import shutil
from pathlib import Path

import torch
from diffusers import DDIMScheduler

from dsflash_ros.data.psg import PsgDataset
from dsflash_ros.model.diffusion.image_embedding import ImageEmbedding
from dsflash_ros.model.diffusion.latents import PIXELS_PER_LATENT, PixelLatents
from dsflash_ros.model.diffusion.text_tokens import TextTokens
from dsflash_ros.training.diffusion.examples import Examples, read_examples
from dsflash_ros.training.diffusion.toy_diffusion import (
    IMAGE_SIDE,
    NOISE,
    encode_captions,
    toy_image_encoder,
    toy_unet,
    train_image_encoder,
    train_unet,
)
from dsflash_ros.training.run.fit import with_relations

CHANNELS = 12
"""Of the toy's latents: 2 x 2 pixels of 3 colours."""

LENGTH = 24
"""Tokens of a caption."""

SHUFFLED = 2
"""Captions with relations in random orders, for each image."""

_log = logging.getLogger(__name__)


def make_toy_folder(
    dataset: PsgDataset,
    text_folder: str | Path,
    out: Path,
    image_size: int = 256,
    unet_steps: int = 3000,
    encoder_steps: int = 400,
) -> Path:
    """Train the toy diffusion model; returns `out/toy_diffusion`. What is there is kept.

    Args:
        dataset: images with relations, to learn from.
        text_folder: of a text encoder and tokenizer of transformers', as MiniLM's.
        out: gets the states of interrupted trainings, too.
        image_size: side of the network input.
        unet_steps, encoder_steps: of the two trainings.
    """
    from transformers import AutoModel, AutoTokenizer

    folder = out / "toy_diffusion"
    if (folder / "unet").is_dir():
        return folder
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = AutoTokenizer.from_pretrained(text_folder, model_max_length=LENGTH)
    text_encoder = AutoModel.from_pretrained(text_folder)
    tokens = TextTokens(tokenizer, text_encoder)
    examples, contexts = _examples(dataset, tokens, out / "examples.pt", image_size)
    making = out / "toy_diffusion.partial"
    shutil.rmtree(making, ignore_errors=True)
    torch.manual_seed(0)
    encoder = toy_image_encoder(contexts.shape[-1])
    embedding = ImageEmbedding(encoder)
    state = out / "image_encoder.state"
    prepare = _prepare(embedding)
    train_image_encoder(encoder, prepare, examples, contexts, state, encoder_steps)
    unet = toy_unet(CHANNELS, image_size // PIXELS_PER_LATENT, contexts.shape[-1])
    loss = train_unet(unet, examples, contexts, tokens([""])[0], out / "unet.state", unet_steps)
    _log.info("UNet: loss %.4f at the end", loss)
    DDIMScheduler(**NOISE).save_pretrained(making / "scheduler")
    tokenizer.save_pretrained(making / "tokenizer")
    text_encoder.save_pretrained(making / "text_encoder")
    encoder.save_pretrained(making / "image_encoder")
    unet.save_pretrained(making / "unet")
    making.rename(folder)
    return folder


def _prepare(embedding: ImageEmbedding):
    return lambda images: embedding.prepare(images.float() / 255)


def _examples(
    dataset: PsgDataset, tokens: TextTokens, path: Path, image_size: int
) -> tuple[Examples, torch.Tensor]:
    """The examples and their encoded captions, from the file where it is there."""
    if not path.exists():
        found = read_examples(
            with_relations(dataset),
            dataset.vocabulary,
            PixelLatents(CHANNELS),
            tokens,
            image_size,
            IMAGE_SIDE,
            SHUFFLED,
        )
        contexts = encode_captions(tokens, found.captions)
        torch.save({"examples": tuple(found), "contexts": contexts}, path)
    stored = torch.load(path, weights_only=True)
    return Examples(*stored["examples"]), stored["contexts"]
