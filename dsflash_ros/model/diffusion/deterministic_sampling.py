"""Deterministic sampling and its inversion: DDIM, and O-BELM, which can be inverted exactly.

DDIM: Song, Meng and Ermon, ICLR 2021; its inversion is SPADE's way from an image to noise.
O-BELM: Wang et al., "BELM: Bidirectional Explicit Linear Multi-step Sampler", NeurIPS 2024.
"""

from collections.abc import Callable

import torch

from dsflash_ros.model.diffusion.noise_levels import NoiseLevels

Noise = Callable[[torch.Tensor, int], torch.Tensor]
"""What a UNet says of a state at a time: (B, C, h, w) and 0 to 999, to (B, C, h, w)."""


def ddim_move(
    x: torch.Tensor, epsilon: torch.Tensor, levels: NoiseLevels, here: int, there: int
) -> torch.Tensor:
    """State `x` of the level `here` moved to the level `there`, along its noise (SPADE Eq. 2)."""
    alpha, sigma = levels.alpha.tolist(), levels.sigma.tolist()
    image = (x - sigma[here] * epsilon) / alpha[here]
    return alpha[there] * image + sigma[there] * epsilon


def ddim_sample(x: torch.Tensor, unet: Noise, levels: NoiseLevels) -> torch.Tensor:
    """From state n to state 0."""
    for k in range(levels.steps, 0, -1):
        epsilon = levels.noise_in(unet(x, levels.times[k]), x, k)
        x = ddim_move(x, epsilon, levels, k, k - 1)
    return x


def ddim_invert(x: torch.Tensor, unet: Noise, levels: NoiseLevels) -> torch.Tensor:
    """From state 0 to state n: each step takes the noise of its end to be that of its beginning.

    As in diffusers, the UNet is told the time of the step's end.
    """
    for k in range(1, levels.steps + 1):
        epsilon = levels.noise_in(unet(x, levels.times[k]), x, k - 1)
        x = ddim_move(x, epsilon, levels, k - 1, k)
    return x


def obelm_sample(
    x: torch.Tensor, unet: Noise, levels: NoiseLevels, second: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """From state n to states 0 and 1.

    `second`: state n - 1, as `obelm_invert` gives it; None: a step of DDIM leads there.
    """
    n = levels.steps
    if second is None:
        epsilon = levels.noise_in(unet(x, levels.times[n]), x, n)
        second = ddim_move(x, epsilon, levels, n, n - 1)
    before, x = x, second
    for k in range(n - 1, 0, -1):
        epsilon = levels.noise_in(unet(x, levels.times[k]), x, k)
        at_noise, at_before, at_x = _obelm(levels, k)
        before, x = x, at_noise * epsilon + at_before * before + at_x * x
    return x, before


def obelm_invert(
    x: torch.Tensor, unet: Noise, levels: NoiseLevels, second: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """From state 0 to states n and n - 1: what `obelm_sample` does, undone.

    `second`: state 1, as `obelm_sample` gives it; None: a step of inverted DDIM leads there.
    """
    if second is None:
        epsilon = levels.noise_in(unet(x, levels.times[1]), x, 0)
        second = ddim_move(x, epsilon, levels, 0, 1)
    cleaner, x = x, second
    for k in range(1, levels.steps):
        epsilon = levels.noise_in(unet(x, levels.times[k]), x, k)
        at_noise, at_before, at_x = _obelm(levels, k)
        cleaner, x = x, (cleaner - at_noise * epsilon - at_x * x) / at_before
    return x, cleaner


def _obelm(levels: NoiseLevels, k: int) -> tuple[float, float, float]:
    """What O-BELM multiplies the noise at state k, state k + 1 and state k by, to get state k - 1.

    In the ratios l = sigma / alpha, with d1 = l[k] - l[k + 1], d2 = l[k - 1] - l[k], d3 = d1 + d2.
    """
    (s, t, p), alpha = (k - 1, k, k + 1), levels.alpha.tolist()
    ratio = (levels.sigma / levels.alpha).tolist()
    d1, d2, d3 = ratio[t] - ratio[p], ratio[s] - ratio[t], ratio[s] - ratio[p]
    at_noise = d2 * d3 / d1 * alpha[s]
    at_before = (d2 / d1) ** 2 * alpha[s] / alpha[p]
    at_x = (d1 - d2) * d3 / d1**2 * alpha[s] / alpha[t]
    return at_noise, at_before, at_x
