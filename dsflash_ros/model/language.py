"""What open weights say of the words that they know. Imports no torch."""

import json
import math
from dataclasses import asdict, dataclass, field

from dsflash_ros.errors import WeightsError
from dsflash_ros.graph.words import plain_words


@dataclass(frozen=True)
class Language:
    """What encodes words for weights, and the words whose embeddings are stored with them.

    Attributes:
        encoder: name of the text encoder, a hub id such as `org/name`.
        sha256: of its weights; embeddings of any other do not fit.
        class_prompt, predicate_prompt: what is encoded of a name, as in `a photo of a {}`.
        phrases: texts whose embeddings are stored with the weights (`DSFlash.phrases`); no encoder
            is needed for them.
        synonyms: of classes and predicates, other phrases for them; they need no encoder.
        base_offset: added to the logits of known predicates where words that were never trained
            are asked for, too; without it the known ones would win nearly always.
    """

    encoder: str
    sha256: str
    class_prompt: str = "{}"
    predicate_prompt: str = "{}"
    phrases: tuple[str, ...] = ()
    synonyms: dict[str, list[str]] = field(default_factory=dict)
    base_offset: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "phrases", tuple(self.phrases))
        for prompt in (self.class_prompt, self.predicate_prompt):
            if prompt.count("{}") != 1:
                raise WeightsError(f"a prompt must hold {{}} once, for the name; got {prompt!r}")
        if not math.isfinite(self.base_offset):
            raise WeightsError(f"base_offset must be a finite number, got {self.base_offset}")
        if len(set(self.phrases)) < len(self.phrases):
            raise WeightsError("the stored phrases must be different ones")

    def class_phrase(self, name: str) -> str:
        """What is encoded of the name of a class."""
        return self.class_prompt.format(plain_words(name))

    def predicate_phrase(self, name: str) -> str:
        """What is encoded of the name of a predicate."""
        return self.predicate_prompt.format(plain_words(name))

    def to_json(self) -> str:
        """As one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Language":
        """Read what `to_json` wrote. Raises `WeightsError`, `ValueError` or `TypeError`."""
        return cls(**json.loads(text))
