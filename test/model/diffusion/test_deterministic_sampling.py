import pytest
import torch

from dsflash_ros.errors import WeightsError
from dsflash_ros.model.diffusion.deterministic_sampling import (
    ddim_invert,
    ddim_move,
    ddim_sample,
    obelm_invert,
    obelm_sample,
)
from dsflash_ros.model.diffusion.noise_levels import NoiseLevels

diffusers = pytest.importorskip("diffusers", reason="the extra `diffusion` is not installed")

STABLE = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "steps_offset": 1,
    "set_alpha_to_one": False,
}
KINDS = [
    {**STABLE, "prediction_type": prediction, "steps_offset": offset, "set_alpha_to_one": one}
    for prediction in ("epsilon", "v_prediction")
    for offset in (0, 1)
    for one in (False, True)
] + [{**STABLE, "timestep_spacing": "trailing"}]


def a_unet():
    """Something that depends on its input and on the time, mildly; fresh weights."""
    mixing = torch.randn(4, 4, dtype=torch.float64) / 10

    def unet(x, time):
        return torch.einsum("ij,bjhw->bihw", mixing, x) + 0.1 * (x * (time + 1) / 1000).tanh()

    return unet


def an_image():
    return torch.randn(2, 4, 6, 6, dtype=torch.float64)


@pytest.mark.parametrize("config", KINDS)
@pytest.mark.parametrize("steps", [10, 50])
def test_ddim_is_that_of_diffusers(config, steps):
    """To 1e-5: diffusers keeps its levels in float32."""
    unet, levels = a_unet(), NoiseLevels.of_scheduler(config, steps)
    there = diffusers.DDIMScheduler(**config)
    back = diffusers.DDIMInverseScheduler(**config)
    for scheduler, mine in ((there, ddim_sample), (back, ddim_invert)):
        scheduler.set_timesteps(steps)
        start = an_image()
        theirs = start
        for time in scheduler.timesteps:
            theirs = scheduler.step(unet(theirs, int(time)), int(time), theirs).prev_sample
        torch.testing.assert_close(mine(start, unet, levels), theirs, atol=1e-5, rtol=1e-5)


def test_noise_that_does_not_depend_on_the_state_leads_back():
    """In float32 over 50 steps; with a UNet's noise the inversion is but approximate."""
    levels = NoiseLevels.of_scheduler(STABLE, 50)
    noise, image = torch.randn(2, 4, 6, 6), torch.randn(2, 4, 6, 6)
    inverted = ddim_invert(image, lambda x, time: noise, levels)
    assert (inverted - image).abs().max() > 0.5
    back = ddim_sample(inverted, lambda x, time: noise, levels)
    assert (back - image).abs().max() < 2e-5


@pytest.mark.parametrize("config", KINDS)
def test_obelm_is_undone_exactly_both_ways(config):
    unet, levels = a_unet(), NoiseLevels.of_scheduler(config, 20)
    start = an_image()
    first, second = obelm_sample(start, unet, levels)
    back, _ = obelm_invert(first, unet, levels, second)
    torch.testing.assert_close(back, start, atol=1e-9, rtol=1e-9)
    last, before = obelm_invert(start, unet, levels)
    again, _ = obelm_sample(last, unet, levels, before)
    torch.testing.assert_close(again, start, atol=1e-9, rtol=1e-9)
    assert (ddim_sample(ddim_invert(start, unet, levels), unet, levels) - start).abs().max() > 1e-4


def test_a_step_of_obelm_is_the_formula():
    levels = NoiseLevels.of_scheduler(STABLE, 2)
    noise, x2, x1 = an_image(), an_image(), an_image()
    alpha, ratio = levels.alpha, levels.sigma / levels.alpha
    d1, d2, d3 = ratio[1] - ratio[2], ratio[0] - ratio[1], ratio[0] - ratio[2]
    expected = (d2 * d3 / d1) * alpha[0] * noise
    expected += (d2 / d1) ** 2 * (alpha[0] / alpha[2]) * x2
    expected += ((d1 - d2) * d3 / d1**2) * (alpha[0] / alpha[1]) * x1
    found, kept = obelm_sample(x2, lambda x, time: noise, levels, x1)
    torch.testing.assert_close(found, expected)
    assert kept is x1


def test_obelm_follows_noise_that_does_not_depend_on_the_state_as_ddim_does():
    """Both solve the same equation: its solution is a straight line in x / alpha."""
    levels = NoiseLevels.of_scheduler(STABLE, 30)
    noise, start = an_image(), an_image()
    expected = ddim_move(start, noise, levels, 30, 0)
    found, _ = obelm_sample(start, lambda x, time: noise, levels)
    torch.testing.assert_close(found, expected, atol=1e-7, rtol=1e-7)


def test_the_first_state_without_noise_and_with_some():
    clean = NoiseLevels.of_scheduler({**STABLE, "set_alpha_to_one": True}, 10)
    assert clean.alpha[0] == 1 and clean.sigma[0] == 0
    some = NoiseLevels.of_scheduler(STABLE, 10)
    assert 0.99 < some.alpha[0] < 1 and some.times[:2] == (0, 1)
    # without an offset, time 0 would be the level of state 0: a step to nowhere, which is left out
    assert NoiseLevels.of_scheduler({**STABLE, "steps_offset": 0}, 10).steps == 9


@pytest.mark.parametrize(
    ("changes", "steps", "told"),
    [
        ({"prediction_type": "sample"}, 10, "prediction_type is 'sample'; known are epsilon, v_"),
        ({"beta_schedule": "exponential"}, 10, "the scheduler is none of DDIM: exponential is"),
        ({"timestep_spacing": "even"}, 10, "the scheduler is none of DDIM: even is"),
        ({"steps_offset": 1, "timestep_spacing": "leading"}, 1000, "steps_offset of 1, .* take fe"),
        ({}, 0, "sampling takes 1 to 1000 steps, got 0"),
        ({}, 1001, "sampling takes 1 to 1000 steps, got 1001"),
        ({"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}, 5, "noise alone"),
    ],
)
def test_schedules_that_cannot_be_inverted(changes, steps, told):
    with pytest.raises(WeightsError, match=told):
        NoiseLevels.of_scheduler({**STABLE, **changes}, steps)
