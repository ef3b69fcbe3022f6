"""Noise levels of a deterministic sampler, read from the configuration of diffusers' schedulers."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from dsflash_ros.errors import WeightsError, first_line

PREDICTIONS = ("epsilon", "v_prediction")
"""What a UNet can be trained to tell, by diffusers' names, and an inversion can begin with.

Of "sample", the image itself, nothing tells the noise in a state that has none.
"""


@dataclass(frozen=True)
class NoiseLevels:
    """The n + 1 states of a trajectory: state k is alpha[k] * image + sigma[k] * noise.

    State 0 is the cleanest, state n the noisiest. A sampler goes from n to 0, an inversion from 0
    to n; in between, step k joins the states k - 1 and k, and shows the UNet the time times[k].

    Attributes:
        times: n + 1 times of the UNet, rising; times[0] is 0 and belongs to no step.
        alpha, sigma: (n + 1,) float64, with alpha^2 + sigma^2 = 1.
        prediction: what the UNet tells, one of `PREDICTIONS`.
    """

    times: tuple[int, ...]
    alpha: torch.Tensor
    sigma: torch.Tensor
    prediction: str

    @classmethod
    def of_scheduler(cls, config: Mapping[str, object], steps: int) -> "NoiseLevels":
        """The levels of `steps` steps, as diffusers' `DDIMScheduler` of this config has them.

        `steps_offset`, `timestep_spacing` and `set_alpha_to_one` (the level of state 0) are the
        config's. Images are never clipped, which no inversion could undo; a first step that goes
        nowhere is left out. Raises `WeightsError` for schedules and predictions that are not known,
        too many steps, and schedules that end without any image left.
        """
        from diffusers import DDIMScheduler

        try:
            scheduler = DDIMScheduler.from_config(dict(config))
            scheduler.set_timesteps(1)
        except (NotImplementedError, ValueError, TypeError) as error:
            raise WeightsError(f"the scheduler is none of DDIM: {first_line(error)}") from error
        prediction, most = scheduler.config.prediction_type, scheduler.config.num_train_timesteps
        if prediction not in PREDICTIONS:
            raise WeightsError(
                f"the scheduler's prediction_type is {prediction!r}; "
                f"known are {', '.join(PREDICTIONS)}"
            )
        if not 1 <= steps <= most:
            raise WeightsError(f"sampling takes 1 to {most} steps, got {steps}")
        scheduler.set_timesteps(steps)
        times = scheduler.timesteps.flip(0)
        if times[-1] >= most:
            raise WeightsError(
                f"{steps} steps begin at time {times[-1]} with the scheduler's steps_offset of "
                f"{scheduler.config.steps_offset}, but there are {most} times; take fewer steps"
            )
        left = scheduler.alphas_cumprod.double()[times]
        kept = torch.cat((torch.as_tensor(scheduler.final_alpha_cumprod).double().view(1), left))
        if kept[-1] <= 0:
            raise WeightsError(
                "the scheduler's last level is noise alone (rescale_betas_zero_snr), from which no "
                "inversion leads back; set it to false"
            )
        if steps > 1 and kept[0] == kept[1]:  # set_alpha_to_one=False without steps_offset
            times, kept = times[1:], kept[1:]
        return cls((0, *times.tolist()), kept.sqrt(), (1 - kept).sqrt(), prediction)

    @property
    def steps(self) -> int:
        """How many steps lead from one end to the other."""
        return len(self.times) - 1

    def noise_in(self, output: torch.Tensor, x: torch.Tensor, k: int) -> torch.Tensor:
        """The noise in state `x`, when the UNet says `output` of it and x has the level k."""
        alpha, sigma = self.alpha[k].item(), self.sigma[k].item()
        if self.prediction == "epsilon":
            return output
        return alpha * output + sigma * x
