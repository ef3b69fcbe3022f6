"""From image arrays to scene graphs: the model with everything around it, no ROS."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dsflash_ros.errors import missing_extra
from dsflash_ros.graph.scene_graph import SceneGraph, is_trained
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.images.letterbox import Letterbox, check_image
from dsflash_ros.language.available import encoder_of
from dsflash_ros.language.text_encoder import TextEncoder
from dsflash_ros.model.header import Header
from dsflash_ros.model.ranking import RankedRelations
from dsflash_ros.model.segmenters.segmentation import Segmentation
from dsflash_ros.pipeline.asked_names import AskedNames
from dsflash_ros.pipeline.asking import Asked
from dsflash_ros.pipeline.backends.base import Backend
from dsflash_ros.pipeline.backends.choosing import make_backend
from dsflash_ros.pipeline.frame_steps import FrameSteps
from dsflash_ros.pipeline.options import Options
from dsflash_ros.pipeline.relating import asked_ids, check_labels, relate_given
from dsflash_ros.pipeline.translation import Translation
from dsflash_ros.pipeline.understood import UnderstoodOptions
from dsflash_ros.weights.loading import OpenedWeights, open_weights
from dsflash_ros.weights.shipped import DEFAULT_WEIGHTS

if TYPE_CHECKING:
    import torch

    from dsflash_ros.pipeline.image_evidence import ImageEvidence

_log = logging.getLogger(__name__)


class SceneGraphPipeline:
    """Makes scene graphs. Made by `from_weights`; use it from one thread at a time.

    The same image and options give the same graph on the same machine (except on CUDA with
    `tome_ratio` > 0, which sums in no fixed order).

    Attributes:
        backend: what runs the model.
        config: kinds and sizes of the model's parts.
        weights: what was asked for.
        relates: False when the weights have no trained relation stage; graphs then have no
            relations.
        is_trained: False when the weights are random, so that graphs mean nothing.
        device: where the model runs.
        precision: `float32`, `bfloat16` or `float16`.
        for_trackers: may be set to True: graphs then have all relations that score
            `RELATION_FLOOR` or more, and `appearance`.
    """

    def __init__(
        self,
        backend: Backend,
        header: Header,
        weights: str,
        options: Options | None = None,
        encoder: TextEncoder | None = None,
        evidence: "ImageEvidence | None" = None,
    ) -> None:
        """See `from_weights`, which makes the backend."""
        self.backend = backend
        self.config = header.config
        self._names = AskedNames(backend, header, weights, encoder, evidence)
        # Wholly untrained weights relate all the same: they are there to try the machinery.
        self.relates = header.trained != ("segmenter",)
        self.weights = weights
        self.is_trained = is_trained(weights)
        self.device = backend.device
        self.precision = backend.precision
        self._steps = FrameSteps(
            backend, self._names, header.config.image_size, weights, self.relates
        )
        self._understood = UnderstoodOptions(backend, header, weights)
        self.for_trackers = False
        self.options = Options() if options is None else options

    @classmethod
    def from_weights(
        cls,
        weights: str | Path | OpenedWeights = DEFAULT_WEIGHTS,
        *,
        backend: str = "auto",
        device: str = "auto",
        precision: str = "auto",
        compile: bool = False,
        vocabulary: Vocabulary | None = None,
        classes: Sequence[str] = (),
        stuff_classes: Sequence[str] = (),
        predicates: Sequence[str] = (),
        text_encoder: str = "",
        image_encoder: str = "",
        threads: int = 0,
        options: Options | None = None,
    ) -> "SceneGraphPipeline":
        """Load a model and run it once, so that the first frame is as fast as the rest.

        Args:
            weights: path of a checkpoint, id of one on the hub (`org/name`, downloaded once),
                `toyroom` (of the package; knows simulated rooms only), `random` (untrained; graphs
                mean nothing), `random-base` etc., the folder of an exported model, or what
                `open_weights` gave. An EoMT or Mask2Former of another code base, as a file, folder
                or hub id, is converted once.
            backend: what runs the model: `torch`, or of an exported one `onnx`, `openvino` or
                `tensorrt`; `auto` takes `torch` for checkpoints, `onnx` for exported models.
            device: `auto`, `cpu`, `cuda`, `cuda:N`.
            precision: `auto`, `float32`, `bfloat16`, `float16`.
            compile: compile the segmenter with torch.compile; takes a minute or more at the start.
            vocabulary: refuse weights that were trained for any other.
            classes, stuff_classes, predicates: names to tell apart, see `ask`.
            text_encoder: folder or hub id of the weights' text encoder, for asked names whose
                embeddings are not stored with them; empty: the one that they name.
            image_encoder: folder or hub id of a CLIP, whose view of each segment is mixed into its
                class; empty: none.
            threads: CPU threads (of PyTorch in the whole process); 0: as many as the process may
                use, by its affinity and its container's CPU quota.
            options: what can change later, see `Options`.

        Raises:
            WeightsError: weights are missing, damaged, or of another vocabulary or size.
            LanguageError: the weights cannot be asked for these names, or an encoder cannot be
                had.
            DeviceError: the device is not there, or the backend does not run these weights.
            MissingExtraError: what the backend needs is not installed.
            OptionError: an option or `threads` is out of range, or the segmenter does not have it.
            OutputError: converted weights cannot be written to the cache.
        """
        asked = Asked(classes, stuff_classes, predicates)
        opened = open_weights(weights, vocabulary)
        runner = make_backend(backend, opened, device, precision, compile, threads)
        encoder = encoder_of(opened, text_encoder)
        evidence = _evidence_of(image_encoder, runner) if image_encoder else None
        pipeline = cls(runner, opened.header, opened.name, options, encoder, evidence)
        if asked:
            pipeline._names.ask(asked)
        pipeline._tell_what_the_weights_are()
        side = pipeline.config.image_size
        pipeline(np.zeros((side, side, 3), np.uint8))
        return pipeline

    @property
    def vocabulary(self) -> Vocabulary:
        """The names behind the graphs' class and predicate ids."""
        return self._names.translation.asked

    @property
    def translation(self) -> Translation:
        """What the names of the graphs mean to the weights."""
        return self._names.translation

    def ask(
        self,
        classes: Sequence[str] = (),
        stuff_classes: Sequence[str] = (),
        predicates: Sequence[str] = (),
    ) -> None:
        """Tell these names apart from the next image on; the log says what they mean.

        An empty list asks for all of that kind that the weights know. Names that they know keep
        their scores: of known names alone, the graph is that part of the weights' own graph, where
        things that are asked for as stuff are one node for each class. Raises `LanguageError` for
        names that cannot be asked for; then the former ones stay.
        """
        self._names.ask(Asked(classes, stuff_classes, predicates))

    @property
    def asked(self) -> Asked:
        """The names that were asked for."""
        return self._names.asked

    def check_names(self, asked: Asked) -> None:
        """Raise `LanguageError` for names that `ask` would refuse; from any thread."""
        self._names.understood(asked)

    def _tell_what_the_weights_are(self) -> None:
        if self._understood.prunes:
            text = "%s learned from pruned patches: pruning is on and stays on"
            _log.info(text, self.weights)
        if not self.relates:
            _log.warning(
                "the weights %s have no trained relation stage: graphs will have no relations; "
                "`dsflash train relations` trains one",
                self.weights,
            )

    @property
    def options(self) -> Options:
        """What the next call does. Assign a new `Options` at any time.

        Thresholds below 0 become those of the weights. Weights whose relation stage learned from
        pruned patches alone keep `pruning` on.
        """
        return self._options

    @options.setter
    def options(self, options: Options) -> None:
        self._options = self._understood.complete(options)

    def check_options(self, options: Options) -> None:
        """Raise `OptionError` for an option that the weights' segmenter does not understand."""
        self._understood.check(options)

    @property
    def model(self) -> "torch.nn.Module":
        """The PyTorch model; only the backend `torch` has one."""
        return self.backend.model

    def __call__(self, rgb: np.ndarray, stamp: float = 0.0, source: str = "") -> SceneGraph:
        """The scene graph of an image, (H, W, 3) uint8 RGB, 16x16 to 8192x8192.

        `stamp`, seconds, and `source` are carried into the graph. Raises `ImageError`.
        """
        return self.batch([rgb], [stamp], [source])[0]

    def batch(
        self,
        images: Sequence[np.ndarray],
        stamps: Sequence[float] | None = None,
        sources: Sequence[str] | None = None,
    ) -> list[SceneGraph]:
        """The scene graphs of several images, each as for `__call__`, in one pass.

        Latencies are those of the whole batch.
        """
        images = list(images)
        if not images:
            return []
        stamps = [0.0] * len(images) if stamps is None else stamps
        sources = [""] * len(images) if sources is None else sources
        if not len(images) == len(stamps) == len(sources):
            raise ValueError(
                f"{len(images)} images need as many stamps and sources, "
                f"got {len(stamps)}, {len(sources)}"
            )
        with self.backend.running():
            return self._steps.graphs(images, stamps, sources, self.options, self.for_trackers)

    def segment(self, rgb: np.ndarray) -> tuple[Segmentation, Letterbox]:
        """What the segmenter says of an image as for `__call__`, and where the image lies in it."""
        box = Letterbox(*check_image(rgb).shape[:2], self.config.image_size)
        with self.backend.running():
            fitted = self.backend.steps.network_input([rgb], [box], self.device)
            return self.backend.segment(fitted, self.options), box

    def relate_segments(
        self,
        rgb: np.ndarray,
        labels: np.ndarray,
        count: int,
        class_ids: Sequence[int] | None = None,
    ) -> RankedRelations:
        """Relate given segments (PredCls).

        Args:
            rgb: an image as for `__call__`.
            labels: (H, W) int, the segment of each pixel, 0 to count - 1, or -1.
            count: number of segments.
            class_ids: (count,) int, their classes in `vocabulary`, or -1, for relation stages that
                look at them; None: unknown.

        Returns one relation for each directed pair, whatever its score, best first. Raises
        `ImageError` for an image, labels or classes that cannot be.
        """
        check_labels(labels, count, check_image(rgb).shape[:2])
        class_ids = asked_ids(class_ids, count, len(self.vocabulary.classes))
        seen, box = self.segment(rgb)
        given = labels, class_ids, box, seen.features
        with self.backend.running():
            return relate_given(*given, self.backend, self._names, self.options)


def _evidence_of(name: str, backend: Backend) -> "ImageEvidence":
    """That of a CLIP. Raises `LanguageError`, and `MissingExtraError` without torch."""
    try:
        from dsflash_ros.language.clip_images import open_clip
        from dsflash_ros.pipeline.image_evidence import ImageEvidence
    except ImportError as error:
        raise missing_extra("language", error) from error
    return ImageEvidence(open_clip(name, backend.device if backend.name == "torch" else "cpu"))
