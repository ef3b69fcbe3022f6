"""What a diffusion segmenter's `ModelConfig.segmenter_settings` can be. Imports no torch."""

from dataclasses import asdict, dataclass, fields

from dsflash_ros.errors import WeightsError
from dsflash_ros.model.diffusion.architectures import DIFFUSION_ARCHITECTURES

SIDES = 64
"""What divides the side of the network input: the UNet halves latents of 8 pixels three times."""


@dataclass(frozen=True)
class DiffusionSettings:
    """Sizes of what stands behind the UNet.

    Attributes:
        dim: channels of the feature pyramid and of the queries, a multiple of 32.
        decoder_ffn: hidden width of the decoder's feed-forward networks.
        decoder_layers: of the transformer that decodes queries.
    """

    dim: int = 256
    decoder_ffn: int = 2048
    decoder_layers: int = 9

    @classmethod
    def from_dict(cls, given: dict) -> "DiffusionSettings":
        """Read `ModelConfig.segmenter_settings`; the defaults stand for what is not given.

        Raises `WeightsError` for unknown names and for values that cannot be.
        """
        names = [entry.name for entry in fields(cls)]
        unknown = given.keys() - set(names)
        if unknown:
            raise WeightsError(
                f"segmenter_settings of 'diffusion' have no {', '.join(sorted(unknown))}; "
                f"there are {', '.join(names)}"
            )
        return cls(**given)

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if type(value) is not int or value < 1:
                raise WeightsError(
                    f"segmenter_settings: {name} must be a whole number, 1 or more, got {value!r}"
                )
        if self.dim % 32:
            raise WeightsError(f"segmenter_settings: dim must be a multiple of 32, got {self.dim}")

    def to_dict(self) -> dict:
        """Plain values, for a checkpoint's metadata."""
        return asdict(self)


def check_diffusion(backbone: str, image_size: int) -> None:
    """Raise `WeightsError` for an unknown diffusion model, or a size that it cannot take."""
    if backbone not in DIFFUSION_ARCHITECTURES:
        raise WeightsError(
            f"the segmenter 'diffusion' has no backbone {backbone!r}, "
            f"but {' or '.join(DIFFUSION_ARCHITECTURES)}"
        )
    if image_size % SIDES or image_size < 2 * SIDES:
        raise WeightsError(
            f"image_size must be a multiple of {SIDES}, {2 * SIDES} or more, got {image_size}"
        )
