"""Running a model with PyTorch."""

from typing import TYPE_CHECKING

import torch

from dsflash_ros.language.wording import Wording
from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.model.relaters.pair_inputs import PairInputs
from dsflash_ros.model.segmenters.segmentation import Segmentation
from dsflash_ros.pipeline.arrays import ARRAY_STEPS
from dsflash_ros.pipeline.asking import Asking
from dsflash_ros.pipeline.backends.base import Backend
from dsflash_ros.pipeline.device import choose_device, choose_precision, use_threads
from dsflash_ros.pipeline.options import Options
from dsflash_ros.pipeline.tensor_steps import TENSOR_STEPS
from dsflash_ros.weights.loading import OpenedWeights

if TYPE_CHECKING:
    from dsflash_ros.model.array_types import Array

# On two CPU cores 16 to 64 are equally fast and 128 slower; a GPU wants large batches (512 is
# unmeasured).
PAIRS_AT_ONCE = {"cpu": 32, "cuda": 512}


CPU_STEPS = ARRAY_STEPS._replace(network_input=TENSOR_STEPS.network_input)
"""On CPUs NumPy takes 0.2 to 0.4 of PyTorch's time, except that PyTorch shrinks images faster.
`benchmarks/array_steps.py` measures it."""


class TorchBackend(Backend):
    """See `Backend`. On a CPU it gives and takes NumPy's arrays, except for images.

    Attributes:
        model: in eval mode, on the device.
    """

    name = "torch"

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
        self.steps = CPU_STEPS if device.type == "cpu" else TENSOR_STEPS
        self._dtype = dtype
        self.precision = str(dtype).removeprefix("torch.")
        self.cell, self.grid = model.relations.cell, model.relations.grid
        self.segmenter_options = model.segmenter.options
        self.relater_options = model.relations.options
        self.parameters = sum(parameter.numel() for parameter in model.parameters())
        self.config = model.config
        if self.config.class_text_dim:
            self._class_names = model.segmenter.class_head.names
        if self.config.predicate_text_dim:
            self._predicate_names = model.relations.predicate_names
        self._segmenter = model.segmenter
        if compile:
            self._segmenter = torch.compile(model.segmenter, dynamic=False)

    def segment(self, images: torch.Tensor, options: Options) -> Segmentation:
        found = self._segmenter(images, **_chosen(options, self.segmenter_options))
        if self.device.type == "cpu":
            return Segmentation(*(output.float().numpy() for output in found))
        return found

    def prepare(self, features: "Array") -> torch.Tensor:
        return self.model.relations.prepare(torch.as_tensor(features).to(self._dtype))

    def relate(self, inputs: PairInputs, options: Options) -> "Array":
        at_once = PAIRS_AT_ONCE[self.device.type]
        inputs = PairInputs(*map(torch.as_tensor, inputs))
        logits = self.model.relations(inputs, at_once, **_chosen(options, self.relater_options))
        return logits.float().numpy() if self.device.type == "cpu" else logits

    def tell_apart(self, asking: Asking) -> None:
        segmenter, relations = self.model.segmenter, self.model.relations
        if self.config.class_text_dim:
            names = _embeddings(self._class_names, asking.classes)[asking.class_order]
            segmenter.name_classes(names)
            relations.name_classes(names)
        if self.config.predicate_text_dim:
            relations.name_predicates(_embeddings(self._predicate_names, asking.predicates))

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


def _embeddings(known: torch.Tensor, wording: Wording) -> torch.Tensor:
    """Those of the known and of the new names."""
    new = torch.from_numpy(wording.embeddings).reshape(-1, known.shape[1])
    return torch.cat((known, new.to(known)))


def _chosen(options: Options, names: frozenset[str]) -> dict[str, bool | int | float]:
    return {name: getattr(options, name) for name in names}
