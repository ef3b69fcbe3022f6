"""Kinds and sizes of the parts of a model.

Imports no torch, so that a checkpoint's header can be read without it.
"""

from dataclasses import MISSING, Field, asdict, dataclass, field
from typing import Any

from dsflash_ros.errors import WeightsError
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.model.diffusion.architectures import DIFFUSION_ARCHITECTURES
from dsflash_ros.model.relaters import RELATERS
from dsflash_ros.model.segmenters import SEGMENTERS
from dsflash_ros.model.segmenters.diffusion.diffusion_settings import (
    DiffusionSettings,
    check_diffusion,
)
from dsflash_ros.model.segmenters.eomt_sizes import ARCHITECTURES, PATCH, Architecture, check_eomt
from dsflash_ros.model.segmenters.mask2former.mask2former_settings import (
    BACKBONES,
    Mask2FormerSettings,
    check_input,
)
from dsflash_ros.model.size_limits import refuse_huge


@dataclass(frozen=True)
class ModelConfig:
    """Everything that fixes the shapes of a `DSFlash` model.

    Attributes:
        size: of EoMT: tiny, small, base or large. Other segmenters of the package have none.
        backbone: of EoMT dinov3 or dinov2 (with registers); tiny has plain only. Of Mask2Former one
            of `BACKBONES`. Of the segmenter "diffusion" one of `DIFFUSION_ARCHITECTURES`. Empty:
            the first that there is.
        image_size: side of the square network input, pixels: 64 or more, of EoMT a multiple of 16,
            of Mask2Former of 32, of "diffusion" of 64.
        num_things, num_stuff, num_predicates: lengths of the vocabulary's lists.
        num_queries: segments that the segmenter can find in an image.
        neck_dim, neck_depth, neck_heads: of DSFlash's relation stage: width, blocks and attention
            heads of its transformer.
        class_text_dim, predicate_text_dim: numbers in the text embeddings that classes and
            predicates are known by (open vocabulary); 0: each has an output of its own (closed).
        num_phrases, phrase_dim: texts whose embeddings are stored with the weights, see `Language`,
            and numbers in each.
        segmenter: its kind, a name in `SEGMENTERS`.
        relater: kind of the relation stage, a name in `RELATERS`.
        segmenter_settings, relater_settings: what other kinds need besides, in values that JSON
            has; their factories check it. Of Mask2Former see `Mask2FormerSettings`, of
            "diffusion" `DiffusionSettings`.
    """

    size: str = "small"
    backbone: str = ""
    image_size: int = 640
    num_things: int = 80
    num_stuff: int = 53
    num_predicates: int = 56
    num_queries: int = 200
    neck_dim: int = 384
    neck_depth: int = 6
    neck_heads: int = 8
    class_text_dim: int = 0
    predicate_text_dim: int = 0
    num_phrases: int = 0
    phrase_dim: int = 0
    segmenter: str = "eomt"
    relater: str = "dsflash"
    segmenter_settings: dict = field(default_factory=dict)
    relater_settings: dict = field(default_factory=dict)

    @classmethod
    def for_vocabulary(cls, vocabulary: Vocabulary, **settings: Any) -> "ModelConfig":
        """A config with the vocabulary's lengths; `settings` are its other attributes."""
        return cls(
            num_things=len(vocabulary.things),
            num_stuff=len(vocabulary.stuff),
            num_predicates=len(vocabulary.predicates),
            **settings,
        )

    def __post_init__(self) -> None:
        SEGMENTERS.check(self.segmenter)
        RELATERS.check(self.relater)
        refuse_huge(vars(self))
        self._check_at_least_one("num_predicates", "num_queries")
        if min(self.num_things, self.num_stuff) < 0 or self.num_classes < 1:
            raise WeightsError(
                f"there must be classes: got {self.num_things} things and {self.num_stuff} stuff"
            )
        self._check_language()
        if self.segmenter == "eomt":
            backbone = check_eomt(self.size, self.backbone, self.image_size)
            object.__setattr__(self, "backbone", backbone)
        if self.segmenter == "mask2former":
            self._complete_mask2former()
        if self.segmenter == "diffusion":
            self._complete_diffusion()
        self._check_neck()

    def _check_at_least_one(self, *names: str) -> None:
        for name in names:
            if getattr(self, name) < 1:
                raise WeightsError(f"{name} must be 1 or more, got {getattr(self, name)}")

    def _check_language(self) -> None:
        sizes = self.class_text_dim, self.predicate_text_dim, self.phrase_dim
        if min(*sizes, self.num_phrases) < 0 or len({*sizes} - {0}) > 1:
            raise WeightsError(
                "class_text_dim, predicate_text_dim and phrase_dim must be 0 or the same size, got "
                f"{', '.join(map(str, sizes))}"
            )
        if bool(self.num_phrases) != bool(self.phrase_dim):
            raise WeightsError("num_phrases and phrase_dim must both be 0, or neither")

    def _complete_mask2former(self) -> None:
        """Check what a Mask2Former needs, and put its defaults in."""
        backbone = self.backbone or BACKBONES[0]
        check_input(backbone, self.image_size)
        self._complete(backbone, Mask2FormerSettings.from_dict(self.segmenter_settings).to_dict())

    def _complete_diffusion(self) -> None:
        """Check what a diffusion segmenter needs, and put its defaults in."""
        backbone = self.backbone or next(iter(DIFFUSION_ARCHITECTURES))
        check_diffusion(backbone, self.image_size)
        self._complete(backbone, DiffusionSettings.from_dict(self.segmenter_settings).to_dict())

    def _complete(self, backbone: str, settings: dict) -> None:
        complete = {"size": "", "backbone": backbone, "segmenter_settings": settings}
        for name, value in complete.items():
            object.__setattr__(self, name, value)

    def _check_neck(self) -> None:
        self._check_at_least_one("neck_dim", "neck_depth", "neck_heads")
        if self.neck_dim % self.neck_heads or self.neck_dim % 4:
            raise WeightsError(
                f"neck_dim {self.neck_dim} must be a multiple of 4 "
                f"and of neck_heads {self.neck_heads}"
            )

    @property
    def architecture(self) -> Architecture:
        """What the size of an EoMT fixes."""
        return ARCHITECTURES[self.size]

    @property
    def timm_name(self) -> str:
        """Name of EoMT's backbone in timm."""
        return self.architecture.timm_names[self.backbone]

    @property
    def num_classes(self) -> int:
        """Things and stuff together."""
        return self.num_things + self.num_stuff

    @property
    def grid(self) -> int:
        """Patches of EoMT's backbone along one side: 40 for 640 pixels."""
        return self.image_size // PATCH

    @property
    def kind(self) -> str:
        """What it is in words, as in `small model with backbone dinov3`."""
        if self.segmenter == "mask2former":
            p1, p2, p3 = (self.segmenter_settings[name] for name in ("p1", "p2", "p3"))
            words = f"mask2former ({p1}, {p2}, {p3}) with backbone {self.backbone}"
        elif self.segmenter == "diffusion":
            words = f"diffusion segmenter with backbone {self.backbone}"
        elif self.segmenter != "eomt":
            return f"model of segmenter {self.segmenter!r} and relation stage {self.relater!r}"
        else:
            words = f"{self.size} model with backbone {self.backbone}"
        return words if self.relater == "dsflash" else f"{words}, relation stage {self.relater!r}"

    def describe_sizes(self) -> dict:
        """Plain values about what fixes the sizes of the segmenter, beside its input."""
        sizes = {"size": self.size} if self.size else {}
        sizes["backbone"] = self.backbone
        if self.segmenter_settings:
            sizes["settings"] = self.segmenter_settings
        return sizes

    def to_dict(self) -> dict:
        """Plain values, for a checkpoint's metadata."""
        return asdict(self)

    @classmethod
    def from_dict(cls, raw: dict) -> "ModelConfig":
        """Read what `to_dict` gave.

        Raises `WeightsError` for unknown keys or values of a wrong type.
        """
        known = cls.__dataclass_fields__
        unknown = set(raw) - set(known)
        if unknown:
            raise WeightsError(
                f"model config has unknown keys: {', '.join(sorted(unknown))}; "
                "newer dsflash_ros needed?"
            )
        for key, value in raw.items():
            if type(value) is not type(_default(known[key])):
                raise WeightsError(f"model config: {key} cannot be {value!r}")
        return cls(**raw)


def _default(entry: Field):
    return entry.default_factory() if entry.default is MISSING else entry.default
