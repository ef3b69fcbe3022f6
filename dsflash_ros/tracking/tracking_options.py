"""The options of tracking, each defined once: default, bounds, and what it does."""

from collections.abc import Mapping
from dataclasses import dataclass

from dsflash_ros.option import Value, option_field, options_of


@dataclass(frozen=True)
class TrackingOptions:
    """What can change from one frame to the next. Raises `OptionError` for a value out of range."""

    track_memory_s: float = option_field(
        30.0,
        "Seconds for which an object that is out of sight is remembered, so that it gets its "
        "track_id back. With positions in a fixed frame ten minutes at least.",
        limits=(0.0, 86400.0),
    )
    track_hold_s: float = option_field(
        0.4,
        "Seconds for which a well-known object stays in the graph while the segmenter misses it; "
        "0: it leaves at once.",
        limits=(0.0, 10.0),
    )
    track_smoothing: float = option_field(
        3.0,
        "Frames over which the scores of classes and relations are averaged; 1: each frame counts "
        "alone.",
        limits=(1.0, 100.0),
    )
    relation_hysteresis: float = option_field(
        0.1,
        "A relation begins at relation_threshold and ends when its score falls so much below that, "
        "or to half of it.",
        limits=(0.0, 1.0),
    )

    @classmethod
    def of(cls, values: Mapping[str, Value]) -> "TrackingOptions":
        """Those of the values that are options of tracking; each of them is there."""
        return cls(**{option.name: values[option.name] for option in TRACKING_OPTIONS})

    def __post_init__(self) -> None:
        for option in TRACKING_OPTIONS:
            value = option.check(getattr(self, option.name))
            object.__setattr__(self, option.name, value)


TRACKING_OPTIONS = options_of(TrackingOptions)
"""The fields of `TrackingOptions`."""
