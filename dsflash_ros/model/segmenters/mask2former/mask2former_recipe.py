"""What is Mask2Former's own in its training: a backbone that learns slowly, and what decays."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from torch import nn

from dsflash_ros.errors import ConfigError

if TYPE_CHECKING:
    from dsflash_ros.model.segmenters.mask2former.mask2former import Mask2Former

_NORMS = (nn.LayerNorm, nn.GroupNorm, nn.BatchNorm2d)


@dataclass(frozen=True)
class Mask2FormerRecipe:
    """Settings of its training; the defaults are its authors'.

    Attributes:
        backbone_lr_factor: the backbone learns at this times the rate of the rest.
        weight_decay: of all but normalisations, embeddings and Swin's tables of positions.
    """

    backbone_lr_factor: float = 0.1
    weight_decay: float = 0.05

    @classmethod
    def from_settings(cls, settings: Mapping[str, object]) -> "Mask2FormerRecipe":
        """Those of the settings that are attributes.

        Raises `ConfigError` for EoMT's annealing, of which there is none here.
        """
        if settings.get("annealing") is not None:
            raise ConfigError(
                "annealing is EoMT's: a mask2former's attention keeps its masks; set it to null"
            )
        names = [entry.name for entry in fields(cls) if entry.name in settings]
        return cls(**{name: settings[name] for name in names})

    def parameter_groups(self, segmenter: "Mask2Former", lr: float) -> list[dict[str, object]]:
        """An optimizer's parameter groups; see `Segmenter.parameter_groups`.

        Parameters that are frozen are in none.
        """
        groups = {}
        for module_name, module in segmenter.named_modules():
            for name, parameter in module.named_parameters(recurse=False):
                if not parameter.requires_grad:
                    continue
                backbone = module_name.startswith("backbone.timm_model")
                decays = not isinstance(module, (*_NORMS, nn.Embedding)) and name not in (
                    "level_embedding",
                    "relative_position_bias_table",
                )
                kind = ("backbone" if backbone else "new") + ("" if decays else " without decay")
                group = {
                    "params": [],
                    "lr": lr * (self.backbone_lr_factor if backbone else 1),
                    "weight_decay": self.weight_decay if decays else 0.0,
                    "name": kind,
                    "backbone": backbone,
                }
                groups.setdefault(kind, group)["params"].append(parameter)
        return list(groups.values())
