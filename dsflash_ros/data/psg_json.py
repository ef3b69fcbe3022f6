"""The annotations of a data set in PSG's format: one large JSON file, checked, as a few arrays."""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import accumulate, chain
from pathlib import Path

import numpy as np

from dsflash_ros.data.psg_entries import Triple, files_of, relations_of, segments_of
from dsflash_ros.errors import DatasetError, WeightsError
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.text_tables import counted


class SplitError(DatasetError):
    """A split has no images, or does not exist.

    Attributes:
        splits: how many images the splits have that have some.
    """

    def __init__(self, path: Path, split: str, splits: dict[str, int]) -> None:
        self.splits = splits
        there = ", ".join(f"{name} ({counted(n, 'image')})" for name, n in splits.items())
        super().__init__(f"{path} has no images in the split {split!r}; it has {there}")


@dataclass(frozen=True, eq=False)
class Annotations:
    """The records of one split as columns: few objects, so that loader processes share them.

    Attributes:
        vocabulary: the classes and predicates.
        image_ids, images, masks: (n,) each; ids, and paths as the JSON has them.
        sizes: (n, 2) int64, height and width, pixels.
        segments: (total, 3) int64, image after image: segment id, class id, 1 for a crowd.
        segment_offsets: (n + 1,) int64, where those of each image begin.
        relations: (total, 3) int64, image after image, as `Record.relations`.
        relation_offsets: (n + 1,) int64.
        problems: as `PsgDataset.problems`.
    """

    vocabulary: Vocabulary
    image_ids: list[str]
    images: list[str]
    masks: list[str]
    sizes: np.ndarray
    segments: np.ndarray
    segment_offsets: np.ndarray
    relations: np.ndarray
    relation_offsets: np.ndarray
    problems: dict[str, list[str]]


def read_annotations(path: Path, split: str | None) -> Annotations:
    """Read a split, "train", "val" or "test", or all images (None), at least one.

    Raises `DatasetError` as `PsgDataset.open` does.
    """
    content = _read(path)
    try:
        vocabulary = Vocabulary(
            content["thing_classes"], content["stuff_classes"], content["predicate_classes"]
        )
    except WeightsError as error:
        raise DatasetError(f"{path}: {error}") from error
    problems: dict[str, list[str]] = defaultdict(list)
    chosen = _split(path, content, split, problems)
    segments = [
        segments_of(path, image_id, record, len(vocabulary.classes))
        for image_id, record in chosen.items()
    ]
    relations = [
        relations_of(path, image_id, record, len(of_image), len(vocabulary.predicates), problems)
        for (image_id, record), of_image in zip(chosen.items(), segments, strict=True)
    ]
    fields = [files_of(path, image_id, record) for image_id, record in chosen.items()]
    return Annotations(
        vocabulary,
        list(chosen),
        [image for image, _, _ in fields],
        [mask for _, mask, _ in fields],
        np.array([size for _, _, size in fields], np.int64).reshape(-1, 2),
        *_columns(segments),
        *_columns(relations),
        dict(problems),
    )


def _read(path: Path) -> dict:
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise DatasetError(
            f"cannot read {path}: {error.strerror}; name a psg.json or the folder that it lies in"
        ) from error
    except (ValueError, RecursionError) as error:  # of JSON and of UTF-8
        raise DatasetError(f"{path} is not JSON, or is cut off: {error}") from error
    needed = ("data", "thing_classes", "stuff_classes", "predicate_classes", "test_image_ids")
    missing = [key for key in needed if not isinstance(content, dict) or key not in content]
    if missing:
        raise DatasetError(f"{path} is no data set in PSG's format: it lacks {', '.join(missing)}")
    wrong = [
        key for key in (*needed, "val_image_ids") if not isinstance(content.get(key, []), list)
    ]
    if wrong:
        raise DatasetError(
            f"{path} is no data set in PSG's format: {', '.join(wrong)} must be lists"
        )
    return content


def _split(
    path: Path, content: dict, split: str | None, problems: dict[str, list[str]]
) -> dict[str, dict]:
    """The records of a split by image id, in the file's order."""
    try:
        ids = [str(record["image_id"]) for record in content["data"]]
    except (KeyError, TypeError) as error:
        raise DatasetError(
            f"{path}: each entry of 'data' must be an object with an 'image_id'"
        ) from error
    twice = [image_id for image_id, count in Counter(ids).items() if count > 1]
    if twice:
        raise DatasetError(
            f"{path}: image ids must be unique, but {len(twice)} are not; the first is {twice[0]}"
        )

    if not ids:
        raise DatasetError(f"{path} has no images: its list 'data' is empty")

    records = dict(zip(ids, content["data"], strict=True))
    listed = {
        "test": dict.fromkeys(map(str, content["test_image_ids"])),
        "val": dict.fromkeys(map(str, content.get("val_image_ids", []))),
    }
    for image_id in chain.from_iterable(listed.values()):
        if image_id not in records:
            problems["split ids without an image"].append(image_id)
    if split is None:
        return records
    rest = {i: None for i in ids if not any(i in part for part in listed.values())}
    splits = {
        name: {i: records[i] for i in ids if i in part}
        for name, part in {"train": rest, **listed}.items()
    }
    if not splits.get(split):
        raise SplitError(path, split, {name: len(part) for name, part in splits.items() if part})
    return splits[split]


def _columns(of_images: list[list[Triple]]) -> tuple[np.ndarray, np.ndarray]:
    """All triples, (total, 3) int64, and where those of each image begin, (n + 1,) int64."""
    flat = np.fromiter(chain.from_iterable(chain.from_iterable(of_images)), np.int64).reshape(-1, 3)
    return flat, np.fromiter(accumulate(map(len, of_images), initial=0), np.int64)
