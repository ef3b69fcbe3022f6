"""A diffusion model from a folder as diffusers writes it: Stable Diffusion, or the toy."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError

from dsflash_ros.errors import WeightsError, first_line, missing_extra
from dsflash_ros.files import expand
from dsflash_ros.model.diffusion.architectures import DIFFUSION_ARCHITECTURES
from dsflash_ros.model.diffusion.diffusion_encoder import DiffusionEncoder
from dsflash_ros.model.diffusion.latents import AutoencoderLatents
from dsflash_ros.model.diffusion.text_tokens import TextTokens

Part = TypeVar("Part")


@dataclass(frozen=True)
class DiffusionFolder:
    """What a folder holds.

    Attributes:
        encoder: not calibrated yet, its captioner says what an empty caption says.
        tokens: the text encoder.
        scheduler: configuration of the scheduler, see `NoiseLevels.of_scheduler`.
    """

    encoder: DiffusionEncoder
    tokens: TextTokens
    scheduler: Mapping[str, Any]


def open_diffusion(folder: str | Path, image_encoder: str | Path | None = None) -> DiffusionFolder:
    """Read a folder with `unet`, `scheduler`, `text_encoder`, `tokenizer` and, but for toys, `vae`.

    Nothing is downloaded. `image_encoder` is a folder of transformers'
    `CLIPVisionModelWithProjection`; None: `image_encoder` in the same folder. Raises `WeightsError`
    when something is missing, unreadable or of unknown sizes.
    """
    folder = expand(folder)
    if not (folder / "unet").is_dir():
        raise WeightsError(
            f"{folder} is no folder of a diffusion model: it has no unet/; give the folder that "
            "diffusers' save_pretrained wrote, or a snapshot in the hub's cache"
        )
    try:
        from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
        from transformers import AutoModel, AutoTokenizer, CLIPVisionModelWithProjection
    except ImportError as error:
        raise missing_extra("diffusion", error) from error
    unet = read_network(UNet2DConditionModel.from_pretrained, folder / "unet")
    encoder = DiffusionEncoder(_architecture(unet.config, folder))
    sizes = DIFFUSION_ARCHITECTURES[encoder.architecture]
    encoder.unet = unet
    if sizes.autoencoder:
        encoder.latents = AutoencoderLatents(
            read_network(AutoencoderKL.from_pretrained, folder / "vae")
        )
    seeing = expand(image_encoder) if image_encoder else folder / "image_encoder"
    encoder.embedding.encoder = read_network(CLIPVisionModelWithProjection.from_pretrained, seeing)
    if encoder.embedding.encoder.config.projection_dim != encoder.embedding.dim:
        raise WeightsError(
            f"the embeddings of {seeing} have {encoder.embedding.encoder.config.projection_dim} "
            f"numbers, those that go with {encoder.architecture!r} {encoder.embedding.dim}"
        )
    tokenizer = read_part(AutoTokenizer.from_pretrained, folder / "tokenizer")
    text_encoder = read_network(AutoModel.from_pretrained, folder / "text_encoder")
    tokens = TextTokens(tokenizer, text_encoder, sizes.tokens)
    encoder.captioner.uncond.copy_(_empty_caption(tokens, encoder, folder))
    scheduler = read_part(DDIMScheduler.load_config, folder / "scheduler")
    return DiffusionFolder(encoder.eval().requires_grad_(False), tokens, scheduler)


def read_part(reader: Callable[..., Part], folder: Path) -> Part:
    """What a reader of diffusers' or transformers' finds in a folder; nothing is downloaded.

    Raises `WeightsError` when it is not there or cannot be read.
    """
    if not folder.is_dir():
        raise WeightsError(f"the diffusion model lacks {folder.name}/: there is no {folder}")
    try:
        return reader(folder, local_files_only=True)
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise WeightsError(f"cannot read {folder}: {first_line(error)}") from error


def read_network(reader: Callable[..., tuple[Part, dict]], folder: Path) -> Part:
    """`read_part` of a network with all its tensors; diffusers and transformers draw missing ones.

    The pooler of a text encoder may be missing: nobody asks it.
    """
    network, told = read_part(partial(reader, output_loading_info=True), folder)
    missing = sorted(name for name in told["missing_keys"] if not name.startswith("pooler."))
    if missing:
        raise WeightsError(
            f"{folder} holds no whole {type(network).__name__}: it lacks {len(missing)} of its "
            f"tensors, the first is {missing[0]}; get the folder again, or name the right one"
        )
    return network


def _empty_caption(tokens: TextTokens, encoder: DiffusionEncoder, folder: Path) -> torch.Tensor:
    """(length, dim). Raises `WeightsError` when the text encoder is not the UNet's."""
    wanted = tuple(encoder.captioner.uncond.shape)
    try:
        found = tokens([""])[0]
    except (RuntimeError, IndexError) as error:  # fewer positions or words than the tokenizer has
        raise WeightsError(f"{folder}: text_encoder cannot read {wanted[0]} tokens") from error
    if found.shape != wanted:
        raise WeightsError(
            f"{folder}: text_encoder makes {tuple(found.shape)} numbers of a caption, but the UNet "
            f"{encoder.architecture!r} reads {wanted}"
        )
    return found


def _architecture(config: Mapping[str, Any], folder: Path) -> str:
    """The name of the architecture that has these sizes."""
    for name, architecture in DIFFUSION_ARCHITECTURES.items():
        if all(_plain(config.get(key)) == value for key, value in architecture.unet.items()):
            return name
    raise WeightsError(
        f"the UNet of {folder} is none that is known here: {', '.join(DIFFUSION_ARCHITECTURES)}"
    )


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
