"""What a calibration needs to know."""

from typing import Annotated, Literal

from pydantic import Field

from dsflash_ros.training.configuration import BaseRunConfig, Count, NotNegative, Positive, Text


class CalibrationConfig(BaseRunConfig):
    """Calibration of a diffusion model's UNet. What the paper does not name has a default here.

    Attributes:
        diffusion: folder of the diffusion model, see `open_diffusion`.
        image_encoder: folder of CLIP's image encoder; None: `image_encoder` in that folder.
        novel_predicates, novel_classes: images that show any of these are left out.
        most_images: of those that are left; None: all.
        image_size: side of the network input, pixels, a multiple of 64.
        steps: of the inversion and of the sampling.
        start: what the teacher samples from: `inversion` of the image, or `noise`.
        sampler: the teacher's: obelm or ddim.
        maps_at: step of the teacher's maps, see `teacher_map`.
        map_side: places along one side of the maps that are compared.
        rank: of LoRA; 0: only the captioner learns.
        weight: lambda of Eq. 6.
        lr: peak of AdamW's learning rate, which falls with a cosine.
    """

    diffusion: Text
    image_encoder: str | None = None
    novel_predicates: tuple[str, ...] = ()
    novel_classes: tuple[str, ...] = ()
    most_images: Count | None = None
    image_size: Annotated[int, Field(ge=128, multiple_of=64)] = 512
    steps: Annotated[int, Field(ge=2, le=1000)] = 50
    start: Literal["inversion", "noise"] = "inversion"
    sampler: Literal["obelm", "ddim"] = "obelm"
    maps_at: Literal["image", "noise"] = "image"
    map_side: Count = 32
    rank: Annotated[int, Field(ge=0)] = 16
    weight: NotNegative = 1.0
    lr: Positive = 1e-4
    epochs: Count = 1
