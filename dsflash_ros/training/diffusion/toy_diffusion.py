"""A small text-to-image diffusion model, trained from nothing: Stable Diffusion's stand-in.

It is stored as diffusers stores Stable Diffusion, so that whatever takes the one takes the other.
"""

import logging
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import DDIMScheduler, UNet2DConditionModel
from torch import nn

from dsflash_ros.files import replacing
from dsflash_ros.model.diffusion.image_embedding import ImageEmbedding
from dsflash_ros.model.diffusion.text_tokens import TextTokens
from dsflash_ros.progress_bar import progress
from dsflash_ros.training.diffusion.examples import Examples
from dsflash_ros.training.run.schedules import cosine_with_warmup

NOISE = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}
"""Stable Diffusion's schedule."""

STATE_EVERY = 200
"""Steps between two states that an interrupted training goes on from."""

_log = logging.getLogger(__name__)


def encode_captions(tokens: TextTokens, captions: list[list[str]], batch: int = 32) -> torch.Tensor:
    """Token vectors of k captions of each of N images: (N, k, length, dim) float16."""
    flat = [text for texts in captions for text in texts]
    starts = range(0, len(flat), batch)
    bar = progress(starts, "encoding captions", len(starts), "batch")
    found = torch.cat([tokens(flat[start : start + batch]).half() for start in bar])
    return found.unflatten(0, (len(captions), -1))


def train_unet(
    unet: UNet2DConditionModel,
    examples: Examples,
    contexts: torch.Tensor,
    nothing: torch.Tensor,
    state: Path,
    steps: int,
    batch: int = 16,
    lr: float = 4e-4,
    dropped: float = 0.1,
) -> float:
    """Teach the UNet to tell the noise in latents; returns the mean loss of the last 200 steps.

    Args:
        unet: trained in place.
        examples: the images.
        contexts: (N, k, length, dim), see `encode_captions`.
        nothing: (length, dim), the tokens of an empty caption.
        state: a file that an interrupted training goes on from.
        steps, batch, lr: of AdamW, with a short warm-up and a cosine to zero.
        dropped: share of the captions that are replaced by the empty one.
    """
    levels = DDIMScheduler(**NOISE).alphas_cumprod
    losses: list[float] = []

    def loss_of(step: int, random: torch.Generator) -> torch.Tensor:
        chosen = torch.randint(len(contexts), (batch,), generator=random)
        which = torch.randint(contexts.shape[1], (batch,), generator=random)
        context = contexts[chosen, which].float()
        context[torch.rand(batch, generator=random) < dropped] = nothing
        times = torch.randint(len(levels), (batch,), generator=random)
        clean = examples.latents[chosen].float()
        noise = torch.randn(clean.shape, generator=random)
        alpha, sigma = (
            part.sqrt().view(-1, 1, 1, 1) for part in (levels[times], 1 - levels[times])
        )
        loss = F.mse_loss(unet(alpha * clean + sigma * noise, times, context).sample, noise)
        losses.append(float(loss.detach()))
        if step % 100 == 99:
            recent = losses[-100:]
            _log.info("UNet, step %d: loss %.4f", step + 1, sum(recent) / len(recent))
        return loss

    _train(unet, loss_of, state, steps, lr)
    return sum(losses[-200:]) / len(losses[-200:]) if losses else float("nan")


def train_image_encoder(
    embedding: ImageEmbedding,
    examples: Examples,
    contexts: torch.Tensor,
    state: Path,
    steps: int,
    batch: int = 64,
    lr: float = 1e-3,
) -> None:
    """Teach the image encoder which caption belongs to an image, as CLIP learned it.

    The arguments are those of `train_unet`.
    """
    text_head = nn.Linear(contexts.shape[-1], embedding.dim)
    both = nn.ModuleDict({"encoder": embedding.encoder, "text_head": text_head})

    def loss_of(step: int, random: torch.Generator) -> torch.Tensor:
        chosen = torch.randperm(len(contexts), generator=random)[:batch]
        which = torch.randint(contexts.shape[1], (len(chosen),), generator=random)
        texts = F.normalize(text_head(contexts[chosen, which].float().mean(1)), dim=1)
        seen = embedding(examples.images[chosen].float() / 255)
        logits, right = 14 * seen @ texts.T, torch.arange(len(chosen))
        loss = (F.cross_entropy(logits, right) + F.cross_entropy(logits.T, right)) / 2
        if step % 50 == 49:
            _log.info("image encoder, step %d: loss %.3f", step + 1, float(loss.detach()))
        return loss

    _train(both, loss_of, state, steps, lr)


def _train(
    module: nn.Module,
    loss_of: Callable[[int, torch.Generator], torch.Tensor],
    state: Path,
    steps: int,
    lr: float,
) -> None:
    """Train from the beginning, or from the state; what is drawn follows from the step."""
    optimizer = torch.optim.AdamW(module.parameters(), lr, weight_decay=0.01)
    done = 0
    if state.exists():
        stored = torch.load(state, weights_only=True)
        module.load_state_dict(stored["module"])
        optimizer.load_state_dict(stored["optimizer"])
        done = stored["done"]
    module.train()
    for step in progress(range(done, steps), state.stem, steps, "step", done):
        for group in optimizer.param_groups:
            group["lr"] = lr * cosine_with_warmup(step, min(100, steps // 10), steps)
        optimizer.zero_grad(set_to_none=True)
        loss_of(step, torch.Generator().manual_seed(step)).backward()
        nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
        if (step + 1) % STATE_EVERY == 0 or step + 1 == steps:
            parts = {"module": module.state_dict(), "optimizer": optimizer.state_dict()}
            with replacing(state) as partial:
                torch.save({**parts, "done": step + 1}, partial)
    module.eval()
