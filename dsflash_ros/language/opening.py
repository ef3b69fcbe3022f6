"""Weights that take words: phrases and their embeddings, stored with a model."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
import yaml

from dsflash_ros.errors import LanguageError
from dsflash_ros.files import expand
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.language.available import check_same
from dsflash_ros.language.text_encoder import TextEncoder
from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.model.header import Header
from dsflash_ros.model.language import Language


@dataclass(frozen=True)
class Words:
    """Phrases to store with weights.

    Attributes:
        synonyms: by name, other phrases for it.
        classes, predicates: words that are new to the weights.
    """

    synonyms: dict[str, list[str]] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    predicates: tuple[str, ...] = ()

    @classmethod
    def load(cls, path: str | Path) -> "Words":
        """Read a YAML file with `synonyms` (lists by name) and `words` (`classes`, `predicates`).

        Raises `LanguageError`.
        """
        try:
            raw = yaml.safe_load(expand(path).read_text())
            words = raw.get("words", {})
            found = cls(
                raw.get("synonyms", {}),
                tuple(words.get("classes", ())),
                tuple(words.get("predicates", ())),
            )
            texts = [text for texts in found.synonyms.values() for text in texts]
            if not all(isinstance(t, str) for t in (*texts, *found.classes, *found.predicates)):
                raise TypeError("words must be texts; YAML reads on and no as something else")
            return found
        except (OSError, ValueError, AttributeError, TypeError, yaml.YAMLError) as error:
            reason = " ".join(str(error).split())
            raise LanguageError(f"cannot read the words of {path}: {reason}") from error

    def check(self, vocabulary: Vocabulary) -> None:
        """Raise `LanguageError` for synonyms of names that the vocabulary lacks."""
        known = {*vocabulary.classes, *vocabulary.predicates}
        strange = [name for name in self.synonyms if name not in known]
        if strange:
            raise LanguageError(f"synonyms of {strange[0]!r}, which the weights do not know")


def open_model(
    model: DSFlash, header: Header, encoder: TextEncoder, language: Language, words: Words
) -> tuple[DSFlash, Header]:
    """The same model with a language: it takes new names, and says of known ones what it did.

    Args:
        model, header: of weights, as they are; not changed.
        encoder: of the names.
        language: names the encoder and the prompts; its phrases and synonyms are those of `words`.
        words: phrases whose embeddings to store with the weights.

    Raises `LanguageError` for words that cannot be encoded, synonyms of unknown names, and another
    encoder than that of weights that have a language.
    """
    words.check(header.vocabulary)
    if header.language is not None:
        check_same(encoder, header.language)
    language = _with_words(language, header.vocabulary, words)
    embeddings = torch.from_numpy(encoder.encode(language.phrases))
    count, width = embeddings.shape
    config = replace(header.config, num_phrases=count, phrase_dim=width)
    opened = DSFlash(config)
    opened.load_state_dict({**model.state_dict(), "phrases": embeddings})
    return opened.eval(), replace(header, config=config, language=language)


def _with_words(language: Language, vocabulary: Vocabulary, words: Words) -> Language:
    phrases = [
        phrase_of(text)
        for phrase_of, names, new in (
            (language.class_phrase, vocabulary.classes, words.classes),
            (language.predicate_phrase, vocabulary.predicates, words.predicates),
        )
        for text in (*names, *(t for name in names for t in words.synonyms.get(name, ())), *new)
    ]
    return replace(language, phrases=tuple(dict.fromkeys(phrases)), synonyms=words.synonyms)
