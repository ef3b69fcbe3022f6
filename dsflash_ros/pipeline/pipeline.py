"""From image arrays to scene graphs: the model with everything around it, no ROS."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from dsflash_ros.errors import ImageError
from dsflash_ros.graph.label_maps import label_boxes
from dsflash_ros.graph.scene_graph import SceneGraph, is_trained
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.images.letterbox import Letterbox, check_image
from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.model.checkpoints import Header
from dsflash_ros.model.panoptic import merge_panoptic
from dsflash_ros.model.ranking import RankedRelations, rank_relations
from dsflash_ros.model.relaters.coverage import label_coverage, patch_coverage
from dsflash_ros.model.segmenters.segmenter import MASK_STRIDE, Segmentation
from dsflash_ros.pipeline.device import choose_device, choose_precision, use_threads
from dsflash_ros.pipeline.options import Options
from dsflash_ros.pipeline.resizing import fit_image
from dsflash_ros.pipeline.segments import ImageSegments, build_graph
from dsflash_ros.pipeline.stopwatch import Stopwatch
from dsflash_ros.weights.loading import OpenedWeights, open_weights
from dsflash_ros.weights.shipped import DEFAULT_WEIGHTS

_log = logging.getLogger(__name__)

# On two CPU cores 16 to 64 are equally fast and 128 slower; a GPU wants large batches (512 is
# unmeasured).
PAIRS_AT_ONCE = {"cpu": 32, "cuda": 512}


class SceneGraphPipeline:
    """Makes scene graphs. Made by `from_weights`; use it from one thread at a time.

    The same image and options give the same graph on the same machine (except on CUDA with
    `tome_ratio` > 0, which sums in no fixed order).

    Attributes:
        options: assign a new `Options` at any time; it takes effect with the next call. Weights
            whose relation stage learned from pruned patches alone keep `pruning` on.
        vocabulary: the names behind class and predicate ids.
        weights: what was asked for.
        relates: False when the weights have no trained relation stage; graphs then have no
            relations.
        device, dtype: where and in which precision the model runs.
    """

    def __init__(
        self, model: DSFlash, header: Header, weights: str, device: torch.device, dtype: torch.dtype
    ) -> None:
        """The pipeline takes the model over: it is moved and cast in place."""
        self.model = model.to(device, dtype).eval()
        self.model.relations.keep_head_precise()
        self.config = header.config
        self.vocabulary = header.vocabulary
        # Wholly untrained weights relate all the same: they are there to try the machinery.
        self.relates = header.trained != ("segmenter",)
        self.weights = weights
        self.device = device
        self.dtype = dtype
        self._prunes = header.prunes
        self.options = Options()
        self._segmenter = self.model.segmenter

    @classmethod
    def from_weights(
        cls,
        weights: str | Path | OpenedWeights = DEFAULT_WEIGHTS,
        *,
        device: str = "auto",
        precision: str = "auto",
        compile: bool = False,
        vocabulary: Vocabulary | None = None,
        threads: int = 0,
        options: Options | None = None,
    ) -> "SceneGraphPipeline":
        """Load a model and run it once, so that the first frame is as fast as the rest.

        Args:
            weights: path of a checkpoint, id of one on the hub (`org/name`, downloaded once),
                `toyroom` (of the package; knows simulated rooms only), `random` (untrained; graphs
                mean nothing), `random-base` etc., or what `open_weights` gave. An EoMT of another
                code base, as a file, folder or hub id, is converted once.
            device: `auto`, `cpu`, `cuda`, `cuda:N`.
            precision: `auto`, `float32`, `bfloat16`, `float16`.
            compile: compile the segmenter with torch.compile; takes a minute or more at the start.
            vocabulary: refuse weights that were trained for any other.
            threads: CPU threads of PyTorch, in the whole process; 0: as many as the process may
                use, by its affinity and its container's CPU quota.
            options: what can change later, see `Options`.

        Raises:
            WeightsError: weights are missing, damaged, or of another vocabulary or size.
            DeviceError: the device is not there.
        """
        use_threads(threads)
        torch_device = choose_device(device)
        dtype = choose_precision(precision, torch_device)
        opened = open_weights(weights, vocabulary)
        header = opened.header
        pipeline = cls(opened.load(), header, opened.name, torch_device, dtype)
        pipeline.options = options or Options()
        if header.prunes:
            _log.info(
                "the relation stage of %s learned from pruned patches: pruning is on and stays on",
                opened.name,
            )
        if not pipeline.relates:
            _log.warning(
                "the weights %s have no trained relation stage: graphs will have no relations; "
                "`dsflash train relations` trains one",
                opened.name,
            )
        if compile:
            pipeline._segmenter = torch.compile(pipeline.model.segmenter, dynamic=False)
        pipeline(np.zeros((pipeline.config.image_size, pipeline.config.image_size, 3), np.uint8))
        return pipeline

    @property
    def options(self) -> Options:
        """What the next call does."""
        return self._options

    @options.setter
    def options(self, options: Options) -> None:
        self._options = replace(options, pruning=options.pruning or self._prunes)

    @property
    def is_trained(self) -> bool:
        """False when the weights are random, so that graphs mean nothing."""
        return is_trained(self.weights)

    @property
    def precision(self) -> str:
        """`float32`, `bfloat16` or `float16`."""
        return str(self.dtype).removeprefix("torch.")

    def __call__(self, rgb: np.ndarray, stamp: float = 0.0, source: str = "") -> SceneGraph:
        """The scene graph of an image, (H, W, 3) uint8 RGB, 16x16 to 8192x8192. Raises
        `ImageError`.

        `stamp`, seconds, and `source` are carried into the graph.
        """
        return self.batch([rgb], [stamp], [source])[0]

    @torch.inference_mode()
    def batch(
        self,
        images: Sequence[np.ndarray],
        stamps: Sequence[float] | None = None,
        sources: Sequence[str] | None = None,
    ) -> list[SceneGraph]:
        """The scene graphs of several images, each as for `__call__`, in one pass; latencies are of
        the whole batch.
        """
        images = list(images)
        if not images:
            return []
        stamps = [0.0] * len(images) if stamps is None else stamps
        sources = [""] * len(images) if sources is None else sources
        if not len(images) == len(stamps) == len(sources):
            raise ValueError(
                f"{len(images)} images need as many stamps and sources, got {len(stamps)}, {len(sources)}"
            )
        watch = Stopwatch(self.device)
        options = self.options
        boxed = [Letterbox(*check_image(rgb).shape[:2], self.config.image_size) for rgb in images]
        network_input = self._network_input(images, boxed)
        watch.lap("preprocess")

        segmentation = self._segmenter(network_input, options.tome_ratio)
        watch.lap("segment")
        segments = [
            self._merge(segmentation, index, box, options) for index, box in enumerate(boxed)
        ]
        watch.lap("merge")
        related = self._relate(segmentation.features, segments, options)
        watch.lap("relate")

        graphs = []
        for index, (found, (logits, pairs)) in enumerate(zip(segments, related, strict=True)):
            ranked = rank_relations(
                logits, pairs, options.relation_threshold, options.max_relations
            )
            told = {
                "stamp": float(stamps[index]),
                "source": sources[index],
                "weights": self.weights,
            }
            graphs.append(build_graph(found, ranked, self.vocabulary, **told))
        watch.lap("finish")
        for graph in graphs:
            graph.latency_ms.update(watch.latency_ms())
        return graphs

    @torch.inference_mode()
    def relate_segments(self, rgb: np.ndarray, labels: np.ndarray, count: int) -> RankedRelations:
        """Relate given segments (PredCls): one relation for each directed pair, whatever its score,
        best first.

        `rgb` is an image as for `__call__`, `labels` (H, W) int the segment of each pixel, 0 to
        count - 1, or -1.
        """
        box = Letterbox(*check_image(rgb).shape[:2], self.config.image_size)
        if labels.shape != rgb.shape[:2] or labels.max() >= count:
            raise ImageError(
                f"a label map must be of its image's size, {rgb.shape[:2]}, and hold -1 to {count - 1}, "
                f"got {labels.shape} and {labels.max()}"
            )
        segmentation = self._segmenter(self._network_input([rgb], [box]), self.options.tome_ratio)
        boxes = torch.from_numpy(
            box.scale_boxes(label_boxes(labels, count)) * (2 / box.image_size) - 1
        )
        pairs = torch.combinations(torch.arange(count, device=self.device))
        coverage = label_coverage(
            torch.from_numpy(box.sample_labels(labels)).to(self.device), count, self.config
        )
        boxes, images = boxes.float().to(self.device), pairs.new_zeros(count)
        logits = self._logits(
            segmentation.features, coverage, boxes, images, pairs, options=self.options
        )
        return rank_relations(logits, pairs)

    def _network_input(self, images: list[np.ndarray], boxes: list[Letterbox]) -> torch.Tensor:
        """(B, 3, S, S) float32 in 0..1, on the device."""
        pixels = torch.from_numpy(
            np.stack([fit_image(rgb, box) for box, rgb in zip(boxes, images, strict=True)])
        )
        return pixels.to(self.device).permute(0, 3, 1, 2).float() / 255

    def _merge(
        self, segmentation: Segmentation, index: int, box: Letterbox, options: Options
    ) -> ImageSegments:
        """Segments of one image of the batch, without the padding, at full or at low mask
        resolution.
        """
        stride = MASK_STRIDE if options.low_resolution_masks else 1
        segments = merge_panoptic(
            segmentation.mask_logits[index],
            segmentation.class_logits[index],
            self.config.num_things,
            options.mask_threshold,
            options.overlap_threshold,
            side=self.config.image_size // stride,
            crop=(-(-box.height // stride), -(-box.width // stride)),
        )
        if len(segments) > options.max_segments:
            best = segments.scores.topk(options.max_segments).indices
            segments = segments.select(
                torch.zeros_like(segments.scores, dtype=torch.bool).scatter(0, best, True)
            )
        return ImageSegments.measure(segments, box, stride)

    def _relate(
        self, features: torch.Tensor, found: list[ImageSegments], options: Options
    ) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """For each image the logits, (n, 2, 1 + predicates), of its unordered pairs, and the pairs,
        (n, 2).
        """
        counts = [len(image) for image in found]
        pairs = [
            torch.combinations(torch.arange(count * self.relates, device=self.device))
            for count in counts
        ]
        first = [sum(counts[:index]) for index in range(len(counts))]
        logits = self._logits(
            features,
            torch.cat([patch_coverage(image.masks, self.config, image.stride) for image in found]),
            torch.cat([image.locations() for image in found]),
            torch.arange(len(found), device=self.device).repeat_interleave(
                torch.tensor(counts, device=self.device)
            ),
            torch.cat(
                [image_pairs + start for image_pairs, start in zip(pairs, first, strict=True)]
            ),
            options=options,
        )
        return list(
            zip(logits.split([len(image_pairs) for image_pairs in pairs]), pairs, strict=True)
        )

    def _logits(
        self, features: torch.Tensor, *inputs: torch.Tensor, options: Options
    ) -> torch.Tensor:
        """`RelationStage.forward` of the backbone's features; `inputs` are its coverage, boxes,
        images and pairs.
        """
        stage, at_once = self.model.relations, PAIRS_AT_ONCE[self.device.type]
        return stage(
            stage.embed_patches(features), *inputs, pruning=options.pruning, pairs_at_once=at_once
        )
