"""Makes the toy diffusion model from a data set, as a folder that diffusers can read."""

import logging
import shutil
from pathlib import Path

import torch
from diffusers import DDIMScheduler

from dsflash_ros.data.psg import PsgDataset
from dsflash_ros.files import expand
from dsflash_ros.model.diffusion.architectures import DIFFUSION_ARCHITECTURES
from dsflash_ros.model.diffusion.diffusion_encoder import DiffusionEncoder
from dsflash_ros.model.diffusion.diffusion_folder import read_network, read_part
from dsflash_ros.model.diffusion.latents import PixelLatents
from dsflash_ros.model.diffusion.text_tokens import TextTokens
from dsflash_ros.training.diffusion.examples import Examples, read_examples
from dsflash_ros.training.diffusion.toy_diffusion import (
    NOISE,
    encode_captions,
    train_image_encoder,
    train_unet,
)
from dsflash_ros.training.run.fit import with_relations

TOY = DIFFUSION_ARCHITECTURES["toy"]

SHUFFLED = 2
"""Captions with relations in random orders, for each image."""

_log = logging.getLogger(__name__)


def make_toy_folder(
    dataset: PsgDataset,
    text_folder: str | Path,
    out: Path,
    image_size: int = 256,
    unet_steps: int = 1600,
    encoder_steps: int = 400,
) -> Path:
    """Train the toy diffusion model; returns `out/toy_diffusion`. What is there is kept.

    Args:
        dataset: images with relations, to learn from.
        text_folder: of a text encoder and tokenizer of transformers', as MiniLM's.
        out: gets the states of interrupted trainings, too.
        image_size: side of the network input.
        unet_steps, encoder_steps: of the two trainings.

    Raises `WeightsError` when there is no text encoder, `DatasetError`, `OutputError`.
    """
    from transformers import AutoModel, AutoTokenizer

    folder = out / "toy_diffusion"
    if (folder / "unet").is_dir():
        return folder
    out.mkdir(parents=True, exist_ok=True)
    text = expand(text_folder)
    tokenizer = read_part(AutoTokenizer.from_pretrained, text)
    text_encoder = read_network(AutoModel.from_pretrained, text)
    tokens = TextTokens(tokenizer, text_encoder, TOY.tokens)
    examples, contexts = _examples(dataset, tokens, out / "examples.pt", image_size)
    making = out / "toy_diffusion.partial"
    shutil.rmtree(making, ignore_errors=True)
    torch.manual_seed(0)
    encoder = DiffusionEncoder("toy")
    train_image_encoder(
        encoder.embedding, examples, contexts, out / "image_encoder.state", encoder_steps
    )
    nothing, state = tokens([""])[0], out / "unet.state"
    loss = train_unet(encoder.unet, examples, contexts, nothing, state, unet_steps)
    _log.info("UNet: loss %.4f at the end", loss)
    DDIMScheduler(**NOISE).save_pretrained(making / "scheduler")
    tokenizer.save_pretrained(making / "tokenizer")
    text_encoder.save_pretrained(making / "text_encoder")
    encoder.embedding.encoder.save_pretrained(making / "image_encoder")
    encoder.unet.save_pretrained(making / "unet")
    making.rename(folder)
    return folder


def _examples(
    dataset: PsgDataset, tokens: TextTokens, path: Path, image_size: int
) -> tuple[Examples, torch.Tensor]:
    """The examples and their encoded captions, from the file where it is there."""
    if not path.exists():
        found = read_examples(
            with_relations(dataset),
            dataset.vocabulary,
            PixelLatents(TOY.unet["in_channels"]),
            tokens,
            image_size,
            TOY.image_encoder["image_size"],
            SHUFFLED,
        )
        contexts = encode_captions(tokens, found.captions)
        torch.save({"examples": tuple(found), "contexts": contexts}, path)
    stored = torch.load(path, weights_only=True)
    return Examples(*stored["examples"]), stored["contexts"]
