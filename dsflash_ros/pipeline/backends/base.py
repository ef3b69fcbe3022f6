"""What a backend is. Imports no torch."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, NamedTuple, Union

from dsflash_ros.model.relaters.pair_inputs import PairInputs
from dsflash_ros.model.segmenters.segmentation import Segmentation
from dsflash_ros.pipeline.options import Options

if TYPE_CHECKING:
    import torch

    from dsflash_ros.model.array_types import Array
    from dsflash_ros.pipeline.asking import Asking


class Steps(NamedTuple):
    """What the pipeline does before and after the network, on one kind of arrays.

    `tensor_steps` has them for PyTorch's, `arrays` for NumPy's.

    Attributes:
        network_input: (images, boxes, device) to what `Backend.segment` takes.
        merge_segments, pairs_of_found, pairs_of_labels, rank_relations: see the functions of these
            names.
    """

    network_input: Callable
    merge_segments: Callable
    pairs_of_found: Callable
    pairs_of_labels: Callable
    rank_relations: Callable


class Backend(ABC):
    """Runs the two parts of a model. What it is given and what it gives lies on its device.

    Attributes:
        name: as the option `backend` has it.
        device: where it runs; its text is `cpu`, `cuda` or `cuda:N`.
        precision: the numbers that it computes with, as in `float32`.
        cell, grid: of the relation stage, see `RelationStage`.
        segmenter_options, relater_options: names of the options that each part understands; the
            others have no effect.
        steps: for the arrays that it takes and gives.
        parameters: how many numbers the model has learned.
    """

    name: str
    device: Union["torch.device", str]
    precision: str
    cell: int
    grid: int
    segmenter_options: frozenset[str]
    relater_options: frozenset[str]
    steps: Steps
    parameters: int

    @abstractmethod
    def segment(self, images: "Array", options: Options) -> Segmentation:
        """Run the segmenter on what `Steps.network_input` gave."""

    @abstractmethod
    def prepare(self, features: "Array") -> "Array":
        """What all pairs share: `PairInputs.prepared` of the segmenter's features."""

    @abstractmethod
    def relate(self, inputs: PairInputs, options: Options) -> "Array":
        """Logits of both directions of each pair, (n, 2, 1 + predicates)."""

    def tell_apart(self, asking: "Asking") -> None:  # noqa: B027, most have fixed names
        """Give a model that learned with text embeddings those of other names.

        Nothing changes in other models, whose logits are mixed.
        """

    def running(self) -> AbstractContextManager:
        """What a frame is made in."""
        return nullcontext()

    def wait(self) -> None:  # noqa: B027, most have nothing to wait for
        """Wait until what was begun on the device is done, as clocks must."""
