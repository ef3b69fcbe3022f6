"""Widths of Mask2Former's decoder, whatever feeds it. Imports no torch."""

from dataclasses import asdict, dataclass, fields
from typing import ClassVar

from dsflash_ros.errors import WeightsError
from dsflash_ros.model.size_limits import refuse_huge


@dataclass(frozen=True, kw_only=True)
class DecoderSettings:
    """What the `ModelConfig.segmenter_settings` of all segmenters with this decoder can be.

    Attributes:
        dim: channels of queries and maps, a multiple of 32.
        decoder_ffn: hidden width of the decoder's feed-forward networks.
        decoder_layers: of the transformer that decodes queries.
    """

    SEGMENTER: ClassVar[str] = ""
    LEAST: ClassVar[dict[str, int]] = {}
    """Of whole numbers that may be less, or must be more, than 1."""

    dim: int = 256
    decoder_ffn: int = 2048
    decoder_layers: int = 9

    @classmethod
    def from_dict(cls, given: dict) -> "DecoderSettings":
        """Read `ModelConfig.segmenter_settings`; the defaults stand for what is not given.

        Raises `WeightsError` for unknown names and for values that cannot be.
        """
        names = [entry.name for entry in fields(cls)]
        unknown = given.keys() - set(names)
        if unknown:
            raise WeightsError(
                f"segmenter_settings of {cls.SEGMENTER!r} have no {', '.join(sorted(unknown))}; "
                f"there are {', '.join(names)}"
            )
        return cls(**given)

    def __post_init__(self) -> None:
        for entry in fields(self):
            value, least = getattr(self, entry.name), self.LEAST.get(entry.name, 1)
            if entry.type is int and (type(value) is not int or value < least):
                raise WeightsError(
                    f"segmenter_settings: {entry.name} must be a whole number, {least} or more, "
                    f"got {value!r}"
                )
        refuse_huge(asdict(self))
        if self.dim % 32:
            raise WeightsError(f"segmenter_settings: dim must be a multiple of 32, got {self.dim}")

    def to_dict(self) -> dict:
        """Plain values, for a checkpoint's metadata."""
        return asdict(self)
