"""What weights say of themselves: the header of checkpoints and of exported models.

Imports no torch.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

from dsflash_ros.errors import WeightsError
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.language import Language
from dsflash_ros.model.segmenters.eomt_sizes import EOMT_THRESHOLD

SEGMENT_THRESHOLDS = ("mask_threshold", "overlap_threshold")
"""See `merge_panoptic`."""

STAGES = ("segmenter", "relations")
"""The stages of a model, each of which may be trained or not."""


@dataclass(frozen=True)
class Header:
    """What a checkpoint, or what was made of it, says of itself.

    Attributes:
        config: kinds and sizes of the model's parts.
        vocabulary: the names it was trained for; lengths agree with the config.
        trained: which of `STAGES` were trained. A checkpoint always holds a whole model; an
            untrained relation stage is a start for training.
        recipe: how it was trained (free form).
        scores: what it reached (free form).
        thresholds: those of `Options` that were chosen for these weights, by name, 0..1; EoMT's
            where there is none.
        language: the words that it knows by text embeddings; None for a closed vocabulary.
    """

    config: ModelConfig
    vocabulary: Vocabulary
    trained: tuple[str, ...] = STAGES
    recipe: dict = field(default_factory=dict)
    scores: dict = field(default_factory=dict)
    thresholds: dict[str, float] = field(default_factory=dict)
    language: Language | None = None

    def __post_init__(self) -> None:
        vocabulary, config = self.vocabulary, self.config
        stored = len(self.language.phrases) if self.language else 0
        if stored != config.num_phrases:
            raise WeightsError(
                f"the header names {stored} phrases, but there are {config.num_phrases} embeddings"
            )
        for name in ("recipe", "scores"):
            if not isinstance(getattr(self, name), dict):
                raise WeightsError(
                    f"{name} must be values by name, got {str(getattr(self, name))[:50]!r}"
                )
        if not set(self.thresholds) <= set(SEGMENT_THRESHOLDS):
            raise WeightsError(
                f"thresholds can be {' and '.join(SEGMENT_THRESHOLDS)}, "
                f"got {sorted(self.thresholds)}"
            )
        for name, value in self.thresholds.items():
            if type(value) not in (int, float) or not 0 <= value <= 1:
                raise WeightsError(f"{name} must be a number between 0 and 1, got {value!r}")
        if not set(self.trained) <= set(STAGES):
            raise WeightsError(
                f"trained stages can be {' and '.join(STAGES)}, got {self.trained!r}"
            )
        for kind, names in (
            ("things", vocabulary.things),
            ("stuff", vocabulary.stuff),
            ("predicates", vocabulary.predicates),
        ):
            expected = getattr(config, f"num_{kind}")
            if len(names) != expected:
                raise WeightsError(
                    f"the weights' vocabulary names {len(names)} {kind}, but the model was built "
                    f"for {expected}; labels would be mixed up, so these weights are not used"
                )

    @property
    def all_thresholds(self) -> dict[str, float]:
        """`mask_threshold` and `overlap_threshold` that suit these weights."""
        return dict.fromkeys(SEGMENT_THRESHOLDS, EOMT_THRESHOLD) | self.thresholds

    @property
    def prunes(self) -> bool:
        """Whether the relation stage learned from pruned patches alone (supplement section 15)."""
        relations = self.recipe.get("relations")
        return isinstance(relations, dict) and relations.get("pruning") is True

    def describe_model(self) -> dict:
        """Plain values about the model's parts, in the order in which a person wants them."""
        config = self.config
        return {
            "segmenter": config.segmenter,
            "relater": config.relater,
            **config.describe_sizes(),
            "image_size": config.image_size,
            "queries": config.num_queries,
        }

    def describe_training(self) -> dict:
        """Plain values about what the model learned, in the order in which a person wants them."""
        config = self.config
        return {
            "vocabulary": {
                "things": config.num_things,
                "stuff": config.num_stuff,
                "predicates": config.num_predicates,
            },
            **({"language": self._describe_language()} if self.language else {}),
            "trained": list(self.trained),
            "thresholds": self.all_thresholds,
            "recipe": self.recipe,
            "scores": self.scores,
        }

    def _describe_language(self) -> dict:
        """The text encoder, and what was trained with it."""
        sizes = {
            "classes": self.config.class_text_dim,
            "predicates": self.config.predicate_text_dim,
        }
        trained = [kind for kind, size in sizes.items() if size]
        return {
            **({"trained_with_words": trained} if trained else {}),
            "encoder": self.language.encoder,
            "phrases": len(self.language.phrases),
        }

    def to_metadata(self) -> dict[str, str]:
        """Texts by name, for the metadata of a file."""
        return {
            "config": json.dumps(self.config.to_dict()),
            "vocabulary": self.vocabulary.to_json(),
            "trained": json.dumps(self.trained),
            "recipe": json.dumps(self.recipe),
            "scores": json.dumps(self.scores),
            "thresholds": json.dumps(self.thresholds),
            **({"language": self.language.to_json()} if self.language else {}),
        }

    @classmethod
    def from_metadata(cls, metadata: dict[str, str], path: str | Path) -> "Header":
        """Read what `to_metadata` gave; `path` is the file, for the error.

        Raises `WeightsError` when it is damaged, or of a model that cannot be.
        """
        try:
            trained, recipe, scores = (
                json.loads(metadata[key]) for key in ("trained", "recipe", "scores")
            )
            return cls(
                ModelConfig.from_dict(json.loads(metadata["config"])),
                Vocabulary.from_json(metadata["vocabulary"]),
                tuple(trained),
                recipe,
                scores,
                json.loads(metadata.get("thresholds", "{}")),  # older checkpoints have none
                Language.from_json(metadata["language"]) if "language" in metadata else None,
            )
        except WeightsError as error:
            raise WeightsError(f"{path}: {error}") from error
        except (KeyError, ValueError, AttributeError, TypeError, RecursionError) as error:
            raise WeightsError(
                f"{path}: the metadata is damaged ({type(error).__name__}: {error}); "
                "get the file again"
            ) from error
