"""The entries of `data` in a `psg.json`, one an image: checked, and read into plain numbers.

All functions take the JSON's path and the image's id for their errors, and raise `DatasetError`.
"""

from pathlib import Path

from dsflash_ros.errors import DatasetError

Triple = tuple[int, int, int]


def files_of(path: Path, image_id: str, record: dict) -> tuple[str, str, tuple[int, int]]:
    """Paths of the image and of the mask, and their height and width."""
    image, mask, *size = (
        record.get(key) for key in ("file_name", "pan_seg_file_name", "height", "width")
    )
    if not (isinstance(image, str) and isinstance(mask, str)):
        raise DatasetError(
            f"{path}, image {image_id}: 'file_name' and 'pan_seg_file_name' must be there as "
            "strings"
        )
    if not all(type(side) is int and 0 < side < 1 << 31 for side in size):
        raise DatasetError(
            f"{path}, image {image_id}: 'height' and 'width' must be pixels, got {size}"
        )
    return image, mask, tuple(size)


def segments_of(path: Path, image_id: str, record: dict, num_classes: int) -> list[Triple]:
    """Segment id, class id, and 1 or True for a crowd or else 0, of each segment."""
    where = f"{path}, image {image_id}"
    try:
        infos, annotations = record["segments_info"], record["annotations"]
        segments = [(info["id"], info["category_id"], info.get("iscrowd", 0)) for info in infos]
        categories = [annotation["category_id"] for annotation in annotations]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DatasetError(
            f"{where}: 'segments_info' must be a list of objects with 'id' and 'category_id', "
            f"'annotations' one of objects with 'category_id' ({type(error).__name__}: {error})"
        ) from error
    others = [category for _, category, _ in segments]
    if categories != others:
        raise DatasetError(
            f"{where}: 'annotations' and 'segments_info' disagree, they have the categories "
            f"{categories} and {others}; the n-th of each must be the same segment"
        )
    _check_segments(where, segments, num_classes)
    return segments


def _check_segments(where: str, segments: list[Triple], num_classes: int) -> None:
    """Raise `DatasetError` for ids that cannot be."""
    for segment_id, category, crowd in segments:
        if type(category) is not int or not 0 <= category < num_classes:
            raise DatasetError(
                f"{where}, segment {segment_id}: unknown category {category!r}; "
                f"it must be 0 to {num_classes - 1}"
            )
        if type(segment_id) is not int or not 0 < segment_id < 1 << 24:
            raise DatasetError(
                f"{where}: the segment id {segment_id!r} is no colour; "
                f"it must be 1 to {(1 << 24) - 1}"
            )
        if crowd not in (0, 1):
            raise DatasetError(
                f"{where}, segment {segment_id}: 'iscrowd' must be 0 or 1, got {crowd!r}"
            )
    ids = [segment_id for segment_id, _, _ in segments]
    if len(set(ids)) < len(ids):
        raise DatasetError(f"{where}: segment ids must be unique, got {ids}")


def relations_of(
    path: Path,
    image_id: str,
    record: dict,
    num_segments: int,
    num_predicates: int,
    problems: dict[str, list[str]],
) -> list[Triple]:
    """Subject, object and predicate of each relation between two segments, once.

    Adds what is wrong and harmless to `problems`.
    """
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
                f"{where}: the relation {list(relation)} must be two indexes of the {num_segments} "
                f"segments and one of the {num_predicates} predicates, each from 0"
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
