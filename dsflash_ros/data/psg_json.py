"""The annotations of a data set in PSG's format: one large JSON file, checked, as a few arrays."""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import accumulate, chain
from pathlib import Path

import numpy as np

from dsflash_ros.errors import DatasetError, WeightsError
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.text_tables import counted

Triple = tuple[int, int, int]


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
    """The records of one split as columns: few objects, so that loading processes share their
    memory.

    Attributes:
        vocabulary: the classes and predicates.
        image_ids, images, masks: (n,) each; ids, and paths as the JSON has them.
        sizes: (n, 2) int64, height and width, pixels.
        segments: (total, 3) int64, of one image after the other: segment id, class id, 1 for a
            crowd.
        segment_offsets: (n + 1,) int64, where those of each image begin.
        relations: (total, 3) int64, as `Record.relations`, of one image after the other.
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
    """Read a split, "train", "val" or "test", or all images (None).

    Raises `DatasetError`; see `PsgDataset.open`.
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
        _segments(path, image_id, record, len(vocabulary.classes))
        for image_id, record in chosen.items()
    ]
    relations = [
        _relations(path, image_id, record, len(of_image), len(vocabulary.predicates), problems)
        for (image_id, record), of_image in zip(chosen.items(), segments, strict=True)
    ]
    fields = [_fields(path, image_id, record) for image_id, record in chosen.items()]
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


def _fields(path: Path, image_id: str, record: dict) -> tuple[str, str, tuple[int, int]]:
    """Paths of the image and the mask, and their height and width."""
    image, mask, *size = (
        record.get(key) for key in ("file_name", "pan_seg_file_name", "height", "width")
    )
    if not (isinstance(image, str) and isinstance(mask, str)):
        raise DatasetError(
            f"{path}, image {image_id}: 'file_name' and 'pan_seg_file_name' must be there as strings"
        )
    if not all(type(side) is int and side > 0 for side in size):
        raise DatasetError(
            f"{path}, image {image_id}: 'height' and 'width' must be pixels, got {size}"
        )
    return image, mask, tuple(size)


def _segments(path: Path, image_id: str, record: dict, num_classes: int) -> list[Triple]:
    """Segment id, class id, and 1 for a crowd, of each segment."""
    where = f"{path}, image {image_id}"
    try:
        infos, annotations = record["segments_info"], record["annotations"]
        segments = [
            (info["id"], info["category_id"], int(info.get("iscrowd", 0))) for info in infos
        ]
        categories = [annotation["category_id"] for annotation in annotations]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DatasetError(
            f"{where}: 'segments_info' must be a list of objects with 'id' and 'category_id', 'annotations' one of "
            f"objects with 'category_id' ({type(error).__name__}: {error})"
        ) from error
    if categories != [category for _, category, _ in segments]:
        raise DatasetError(
            f"{where}: 'annotations' and 'segments_info' disagree, they have the categories {categories} and "
            f"{[category for _, category, _ in segments]}; the n-th of each must be the same segment"
        )
    for segment_id, category, _ in segments:
        if type(category) is not int or not 0 <= category < num_classes:
            raise DatasetError(
                f"{where}, segment {segment_id}: unknown category {category!r}; it must be 0 to {num_classes - 1}"
            )
        if type(segment_id) is not int or not 0 < segment_id < 1 << 24:
            raise DatasetError(
                f"{where}: the segment id {segment_id!r} is no colour; it must be 1 to {(1 << 24) - 1}"
            )
    if len({segment_id for segment_id, _, _ in segments}) < len(segments):
        raise DatasetError(
            f"{where}: segment ids must be unique, got {[segment_id for segment_id, _, _ in segments]}"
        )
    return segments


def _relations(
    path: Path,
    image_id: str,
    record: dict,
    num_segments: int,
    num_predicates: int,
    problems: dict[str, list[str]],
) -> list[Triple]:
    """Subject, object and predicate of each relation between two segments, once."""
    where = f"{path}, image {image_id}"
    try:
        relations = [
            (subject, object, predicate) for subject, object, predicate in record["relations"]
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(
            f"{where}: 'relations' must be a list of [subject, object, predicate]"
        ) from error
    ends = (num_segments, num_segments, num_predicates)
    for relation in relations:
        if not all(
            type(number) is int and 0 <= number < end
            for number, end in zip(relation, ends, strict=True)
        ):
            raise DatasetError(
                f"{where}: the relation {list(relation)} must be two indexes of the {num_segments} segments and one "
                f"of the {num_predicates} predicates, each from 0"
            )
    proper = [relation for relation in relations if relation[0] != relation[1]]
    unique = list(dict.fromkeys(proper))
    for problem, count in (
        ("self-relations", len(relations) - len(proper)),
        ("duplicate relations", len(proper) - len(unique)),
        ("images without relations", int(not unique)),
    ):
        if count:
            problems[problem] += [image_id] * count
    return unique


def _columns(of_images: list[list[Triple]]) -> tuple[np.ndarray, np.ndarray]:
    """All triples, (total, 3) int64, and where those of each image begin, (n + 1,) int64."""
    flat = np.fromiter(chain.from_iterable(chain.from_iterable(of_images)), np.int64).reshape(-1, 3)
    return flat, np.fromiter(accumulate(map(len, of_images), initial=0), np.int64)
