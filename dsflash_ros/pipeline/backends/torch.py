"""Running a model with PyTorch."""

import torch

from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.model.relaters.pair_inputs import PairInputs
from dsflash_ros.model.segmenters.segmentation import Segmentation
from dsflash_ros.pipeline.backends.base import Backend
from dsflash_ros.pipeline.device import choose_device, choose_precision, use_threads
from dsflash_ros.pipeline.options import Options
from dsflash_ros.pipeline.tensor_steps import TENSOR_STEPS
from dsflash_ros.weights.loading import OpenedWeights

# On two CPU cores 16 to 64 are equally fast and 128 slower; a GPU wants large batches (512 is
# unmeasured).
PAIRS_AT_ONCE = {"cpu": 32, "cuda": 512}


class TorchBackend(Backend):
    """See `Backend`.

    Attributes:
        model: in eval mode, on the device.
    """

    name = "torch"
    steps = TENSOR_STEPS

    def __init__(
        self, model: DSFlash, device: torch.device, dtype: torch.dtype, compile: bool = False
    ) -> None:
        """Take a model over: it is moved and cast in place.

        `compile`: compile the segmenter with torch.compile, which takes a minute or more at its
        first call, and again for each new value of an option.
        """
        self.model = model.to(device, dtype).eval()
        self.model.relations.keep_precise()
        self.device = device
        self.precision = str(dtype).removeprefix("torch.")
        self.cell, self.grid = model.relations.cell, model.relations.grid
        self.segmenter_options = model.segmenter.options
        self.relater_options = model.relations.options
        self.parameters = sum(parameter.numel() for parameter in model.parameters())
        self._segmenter = model.segmenter
        if compile:
            self._segmenter = torch.compile(model.segmenter, dynamic=False)

    def segment(self, images: torch.Tensor, options: Options) -> Segmentation:
        return self._segmenter(images, **_chosen(options, self.segmenter_options))

    def prepare(self, features: torch.Tensor) -> torch.Tensor:
        return self.model.relations.prepare(features)

    def relate(self, inputs: PairInputs, options: Options) -> torch.Tensor:
        at_once = PAIRS_AT_ONCE[self.device.type]
        return self.model.relations(inputs, at_once, **_chosen(options, self.relater_options))

    def running(self) -> torch.inference_mode:
        return torch.inference_mode()

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def check_torch(device: str, precision: str) -> tuple[torch.device, torch.dtype]:
    """Device and number format by their names. Raises `DeviceError`."""
    chosen = choose_device(device)
    return chosen, choose_precision(precision, chosen)


def make_torch(
    opened: OpenedWeights, device: str, precision: str, compile: bool, threads: int
) -> TorchBackend:
    """Load a checkpoint; arguments as for `SceneGraphPipeline.from_weights`.

    Raises `WeightsError`, `DeviceError`.
    """
    use_threads(threads)
    return TorchBackend(opened.load(), *check_torch(device, precision), compile)


def _chosen(options: Options, names: frozenset[str]) -> dict[str, bool | int | float]:
    return {name: getattr(options, name) for name in names}
