"""What a training step of the relation stage needs of each image, made by the loading processes."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from dsflash_ros.data.psg import Record
from dsflash_ros.data.views import View, Views
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.relaters.coverage import label_coverage
from dsflash_ros.model.relaters.relater import PairInputs, known_classes
from dsflash_ros.training.relations.feature_cache import FeatureCache
from dsflash_ros.training.relations.found_segments import inputs_of_found
from dsflash_ros.training.relations.held_out import without_novel
from dsflash_ros.training.relations.pairs import sample_pairs


class RelationSample(NamedTuple):
    """An image with S segments, R relations and n pairs.

    Attributes:
        image: (3, size, size) uint8; where the segmenter's features were cached, these instead,
            (channels, h, w) float.
        labels: (size, size) int16, the true segment of each pixel or -1; empty where not asked for.
        coverage: (S, cells) float32, see `label_coverage`.
        boxes: (S, 4) float32, scaled to -1..1 over the network input.
        class_ids: (S,) int64.
        class_probabilities: (S, classes) float32.
        relations: (R, 3) int64: subject, object, predicate.
        pairs: (n, 2) int64, those to learn from.
        content: (2,) int64, height and width of the network input that show the image.
    """

    image: torch.Tensor
    labels: torch.Tensor
    coverage: torch.Tensor
    boxes: torch.Tensor
    class_ids: torch.Tensor
    class_probabilities: torch.Tensor
    relations: torch.Tensor
    pairs: torch.Tensor
    content: torch.Tensor


class RelationBatch(NamedTuple):
    """Several images; segments are numbered through the batch.

    Attributes:
        images, labels, contents: stacked.
        counts: (B,) int64, segments of each image.
        coverage, boxes, class_ids, class_probabilities, relations, pairs: concatenated.
    """

    images: torch.Tensor
    labels: torch.Tensor
    contents: torch.Tensor
    counts: torch.Tensor
    coverage: torch.Tensor
    boxes: torch.Tensor
    class_ids: torch.Tensor
    class_probabilities: torch.Tensor
    relations: torch.Tensor
    pairs: torch.Tensor

    @property
    def starts(self) -> torch.Tensor:
        """(B,) int64, the first segment of each image."""
        return self.counts.cumsum(0) - self.counts

    def of_image(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Relations (R, 3), by the image's own segment numbers, and class ids (S,) of one image."""
        start, count = int(self.starts[index]), int(self.counts[index])
        mine = (self.relations[:, 0] >= start) & (self.relations[:, 0] < start + count)
        shift = torch.tensor([start, start, 0], device=self.relations.device)
        return self.relations[mine] - shift, self.class_ids[start : start + count]

    def part(self, index: int) -> dict[str, torch.Tensor]:
        """What the batch has of the segments of one image, by the image's own segment numbers."""
        start, count = int(self.starts[index]), int(self.counts[index])
        mine = slice(start, start + count)
        relations, class_ids = self.of_image(index)
        first = self.pairs[:, 0]
        return {
            "coverage": self.coverage[mine],
            "boxes": self.boxes[mine],
            "class_ids": class_ids,
            "class_probabilities": self.class_probabilities[mine],
            "relations": relations,
            "pairs": self.pairs[(first >= start) & (first < start + count)] - start,
        }

    @property
    def image_of(self) -> torch.Tensor:
        """(S,) int64, the image of each segment."""
        numbers = torch.arange(len(self.counts), device=self.counts.device)
        return numbers.repeat_interleave(self.counts)

    def pair_inputs(self, prepared: torch.Tensor, pairs: torch.Tensor | None = None) -> PairInputs:
        """What a relation stage is given of `pairs`, (n, 2); None: the pairs to learn from.

        `prepared` is what the stage made of the images' features.
        """
        return PairInputs(
            prepared,
            self.coverage,
            self.boxes,
            self.class_ids,
            self.class_probabilities,
            self.image_of,
            self.pairs if pairs is None else pairs,
        )


class RelationSamples(Dataset):
    """Samples by (epoch, index), the same in each process; an index alone is of epoch 0.

    Args:
        records: the images.
        config: of the model.
        cell, grid: of the relation stage.
        augmentation, seed: see `Views`.
        negative_share: see `sample_pairs`.
        cache: features to use instead of images.
        found_share: share of the samples that have the segments which the cache holds, not the true
            ones.
        with_labels: give label maps, too.
        predicates: relations with ids from here on are left out, with their pairs; None: those that
            the model lacks.
    """

    def __init__(
        self,
        records: Sequence[Record],
        config: ModelConfig,
        cell: int,
        grid: int,
        augmentation: str = "none",
        seed: int = 0,
        negative_share: float = 0.2,
        cache: FeatureCache | None = None,
        found_share: float = 0.0,
        with_labels: bool = False,
        predicates: int | None = None,
    ) -> None:
        self.views = Views(
            records, config.image_size, augmentation, seed, with_images=cache is None
        )
        self.records, self.config, self.seed = records, config, seed
        self.cells = cell, grid
        self.negative_share, self.cache = negative_share, cache
        self.found_share, self.with_labels = found_share, with_labels
        self.predicates = config.num_predicates if predicates is None else predicates

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, key: int | tuple[int, int]) -> RelationSample:
        epoch, index = key if isinstance(key, tuple) else (0, key)
        record, view = self.records[index], self.views[epoch, index]
        labels = torch.from_numpy(view.labels)
        random = np.random.default_rng((self.seed, epoch, index))
        if self.cache:
            image, found = self.cache.load(record, view.flipped)
        else:
            image, found = torch.from_numpy(view.image).permute(2, 0, 1).contiguous(), None
        truth = (torch.from_numpy(record.class_ids), torch.from_numpy(record.relations))
        if self.found_share and random.random() < self.found_share:
            fields = inputs_of_found(
                found, labels, *truth, *self.cells, self.negative_share, random
            )
        else:
            fields = self._true_inputs(view, labels, *truth, random)
        known = without_novel(fields["relations"], fields["pairs"], self.predicates)
        fields["relations"], fields["pairs"] = known
        return RelationSample(
            image=image,
            labels=labels if self.with_labels else labels.new_empty(0),
            content=torch.tensor([view.height, view.width]),
            **fields,
        )

    def _true_inputs(
        self,
        view: View,
        labels: torch.Tensor,
        class_ids: torch.Tensor,
        relations: torch.Tensor,
        random: np.random.Generator,
    ) -> dict[str, torch.Tensor]:
        count = len(class_ids)
        return {
            "coverage": label_coverage(labels, count, *self.cells),
            "boxes": torch.from_numpy(view.boxes) * (2 / self.config.image_size) - 1,
            "class_ids": class_ids,
            "class_probabilities": known_classes(class_ids, self.config.num_classes),
            "relations": relations,
            "pairs": sample_pairs(relations, count, self.negative_share, random),
        }


def collate_relations(samples: list[RelationSample]) -> RelationBatch:
    """Put samples together, numbering segments through."""
    columns = RelationSample(*zip(*samples, strict=True))
    counts = torch.tensor([len(ids) for ids in columns.class_ids])
    first = (counts.cumsum(0) - counts).tolist()
    shifts = [torch.tensor([start, start, 0]) for start in first]
    return RelationBatch(
        torch.stack(columns.image),
        torch.stack(columns.labels),
        torch.stack(columns.content),
        counts,
        torch.cat(columns.coverage),
        torch.cat(columns.boxes),
        torch.cat(columns.class_ids),
        torch.cat(columns.class_probabilities),
        torch.cat([part + shift for part, shift in zip(columns.relations, shifts, strict=True)]),
        torch.cat([part + start for part, start in zip(columns.pairs, first, strict=True)]),
    )
