"""What can change from one frame to the next."""

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Options:
    """What can change from one frame to the next. Raises `ValueError` for a value out of range.

    Attributes:
        mask_threshold: 0..1; least class probability of a segment.
        overlap_threshold: 0..1; least share of its own mask that a segment must keep against the
            others.
        relation_threshold: 0..1; least score of a relation.
        max_relations: 0..65535; the best of these are kept.
        max_segments: 1..1000; the best of these are kept. Bounds the time of a frame, which grows
            with their square.
        pruning: leave out patches that neither mask touches (section 3.4). Weights that were
            trained so always do.
        tome_ratio: 0..0.7; share of the backbone's patch tokens merged before each attention
            (section 3.5).
        low_resolution_masks: merge at the mask logits' resolution, a quarter of the input's
            (section 3.2).
    """

    mask_threshold: float = 0.8
    overlap_threshold: float = 0.8
    relation_threshold: float = 0.3
    max_relations: int = 100
    max_segments: int = 50
    pruning: bool = False
    tome_ratio: float = 0.0
    low_resolution_masks: bool = False

    def __post_init__(self) -> None:
        ranges = {"tome_ratio": (0, 0.7), "max_relations": (0, 0xFFFF), "max_segments": (1, 1000)}
        for field in fields(self):
            value, kind = getattr(self, field.name), type(field.default)
            if kind is bool:
                if not isinstance(value, bool):
                    raise ValueError(f"{field.name} must be True or False, got {value!r}")
                continue
            low, high = ranges.get(field.name, (0, 1))
            is_number = isinstance(value, int if kind is int else (int, float)) and not isinstance(
                value, bool
            )
            if not is_number or not low <= value <= high:  # NaN is in no range
                number = "a whole number" if kind is int else "a number"
                raise ValueError(
                    f"{field.name} must be {number} from {low} to {high}, got {value!r}"
                )
