"""The teacher's cross-attention maps (SPADE, section 3.1): inversion, then sampling with a prompt.

With the very prompt in the inversion, too, sampling would only come back to the image, and the map
at its end would be that of one pass on it. So the inversion has the empty prompt; the paper does
not say.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import nn

from dsflash_ros.errors import OutputError
from dsflash_ros.model.diffusion.attention_maps import recorded
from dsflash_ros.model.diffusion.deterministic_sampling import (
    ddim_invert,
    ddim_sample,
    obelm_sample,
)
from dsflash_ros.model.diffusion.noise_levels import NoiseLevels
from dsflash_ros.model.diffusion.text_tokens import TextTokens
from dsflash_ros.progress_bar import progress

SAMPLERS = {"obelm": lambda *given: obelm_sample(*given)[0], "ddim": ddim_sample}
"""From state n to state 0, by name."""


def run_unet(unet: nn.Module, context: torch.Tensor, x: torch.Tensor, time: int) -> torch.Tensor:
    """What a UNet says of states (B, C, h, w) at a time, told the tokens (B or 1, length, dim)."""
    return unet(x, time, context.expand(len(x), -1, -1)).sample


@torch.no_grad()
def teacher_map(
    unet: nn.Module,
    noise: torch.Tensor,
    context: torch.Tensor,
    levels: NoiseLevels,
    side: int,
    sampler: str = "obelm",
    at: Literal["image", "noise"] = "image",
) -> torch.Tensor:
    """The cross-attention maps of one step of sampling: (B, length, side, side).

    Args:
        unet: the teacher.
        noise: (B, C, h, w), state n to begin with: inverted images, or drawn.
        context: (B, length, dim), the prompt's tokens.
        levels: of the sampling.
        side: of the maps.
        sampler: one of `SAMPLERS`.
        at: the step whose maps are meant by "the final timestep t": "image", the last step, beside
            t = 0, where the student is; or "noise", t = T, the first one.
    """
    wanted = levels.times[1] if at == "image" else levels.times[-1]
    kept = []

    def told(x: torch.Tensor, time: int) -> torch.Tensor:
        if time != wanted:
            return run_unet(unet, context, x, time)
        with recorded(unet) as maps:
            output = run_unet(unet, context, x, time)
        kept.append(maps.mean(side))
        return output

    if at == "noise":
        told(noise, wanted)
    else:
        SAMPLERS[sampler](noise, told, levels)
    return kept[0]


@torch.no_grad()
def fill_teacher_maps(
    path: Path,
    unet: nn.Module,
    latents: torch.Tensor,
    captions: Sequence[str],
    tokens: TextTokens,
    levels: NoiseLevels,
    side: int,
    start: Literal["inversion", "noise"] = "inversion",
    sampler: str = "obelm",
    at: Literal["image", "noise"] = "image",
    batch: int = 16,
    seed: int = 0,
) -> np.ndarray:
    """The maps of N images as a file, (N, length, side, side) float16; returns it, mapped.

    What is in the file already is kept. Raises `OutputError` when it cannot be written.

    Args:
        latents: (N, C, h, w).
        captions: a prompt for each image.
        start: what sampling begins with: the image's inverted latents, or noise drawn from `seed`
            and the image's number.
        batch: images at once. The others are as for `teacher_map`.
    """
    shape = (len(captions), tokens.length, side, side)
    try:
        maps = _opened(path, shape)
    except (OSError, ValueError) as error:
        raise OutputError(f"cannot keep the teacher's maps in {path}: {error}") from error
    device = next(unet.parameters()).device
    missing = np.flatnonzero(maps[:, :, 0, 0].sum(1) == 0)  # a map's tokens sum to 1
    nothing = partial(run_unet, unet, tokens([""]).to(device))
    for rows in progress(np.split(missing, range(batch, len(missing), batch)), "teacher's maps"):
        if len(rows) == 0:
            continue
        if start == "noise":
            x = torch.stack([_drawn(latents.shape[1:], seed, int(row)) for row in rows]).to(device)
        else:
            x = ddim_invert(latents[rows].to(device).float(), nothing, levels)
        context = tokens([captions[row] for row in rows]).to(device)
        found = teacher_map(unet, x, context, levels, side, sampler, at)
        maps[rows] = found.half().cpu().numpy()
        maps.flush()
    return maps


def _opened(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    if not path.exists():
        return np.lib.format.open_memmap(path, "w+", np.float16, shape)
    maps = np.lib.format.open_memmap(path, "r+")
    if maps.shape != shape:
        raise ValueError(f"there are maps of another shape, {maps.shape}, not {shape}; delete it")
    return maps


def _drawn(shape: torch.Size, seed: int, number: int) -> torch.Tensor:
    state = int(np.random.SeedSequence((seed, number)).generate_state(1)[0])
    return torch.randn(shape, generator=torch.Generator().manual_seed(state))
