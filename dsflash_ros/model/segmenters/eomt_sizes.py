"""The sizes of an EoMT that there are. Imports no torch."""

from dataclasses import dataclass

from dsflash_ros.errors import WeightsError

PATCH = 16
"""Pixels along one side of a backbone patch."""

EOMT_THRESHOLD = 0.8
"""EoMT's own, for the score of a query and for the share of its mask that it keeps."""


@dataclass(frozen=True)
class Architecture:
    """What the size of an EoMT fixes.

    Attributes:
        dim: channels of a token.
        query_blocks: how many of the last blocks see the queries.
        feature_blocks: the blocks after which the patch tokens are features.
        timm_names: by backbone, the model's name in timm.
    """

    dim: int
    query_blocks: int
    feature_blocks: tuple[int, int, int, int]
    timm_names: dict[str, str]

    @property
    def depth(self) -> int:
        """Number of blocks: the last one's patches are features."""
        return self.feature_blocks[-1] + 1


def _architecture(
    dim: int, word: str, query_blocks: int = 3, feature_blocks=(2, 5, 8, 11)
) -> Architecture:
    # The qkvb form of DINOv3 has biases on queries and values: zero in Meta's weights, but EoMT
    # trains them.
    names = {
        "dinov3": f"vit_{word}_patch16_dinov3_qkvb",
        "dinov2": f"vit_{word}_patch14_reg4_dinov2",
    }
    return Architecture(dim, query_blocks, feature_blocks, names)


ARCHITECTURES = {
    "tiny": Architecture(192, 3, (2, 5, 8, 11), {"plain": "vit_tiny_patch16_224"}),
    "small": _architecture(384, "small"),
    "base": _architecture(768, "base"),
    "large": _architecture(1024, "large", query_blocks=4, feature_blocks=(5, 11, 17, 23)),
}


def check_eomt(size: str, backbone: str, image_size: int) -> str:
    """The backbone; where that is empty, the first that the size has.

    Raises `WeightsError` for a size, backbone or image size that an EoMT cannot have.
    """
    if size not in ARCHITECTURES:
        raise WeightsError(
            f"unknown model size {size!r}; it must be one of {', '.join(ARCHITECTURES)}"
        )
    names = ARCHITECTURES[size].timm_names
    if backbone and backbone not in names:
        raise WeightsError(f"size {size} has no backbone {backbone!r}, but {' or '.join(names)}")
    if image_size % PATCH or image_size < 4 * PATCH:
        raise WeightsError(
            f"image_size must be a multiple of {PATCH}, {4 * PATCH} or more, got {image_size}"
        )
    return backbone or next(iter(names))
