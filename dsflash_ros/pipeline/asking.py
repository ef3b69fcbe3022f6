"""Names that a pipeline is asked for, in place of those that its weights learned."""

import logging
from dataclasses import dataclass

import numpy as np

from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.language.text_encoder import TextEncoder
from dsflash_ros.language.wording import KnownNames, Meaning, Wording, check_names
from dsflash_ros.model.header import Header
from dsflash_ros.pipeline.translation import Translation

_log = logging.getLogger(__name__)

SHOWN = 20
"""Names whose meaning is said in the log, at most."""


@dataclass(frozen=True)
class Asked:
    """What to tell apart. An empty list asks for all of that kind that the weights know."""

    classes: tuple[str, ...] = ()
    stuff_classes: tuple[str, ...] = ()
    predicates: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.classes or self.stuff_classes or self.predicates)

    def vocabulary(self, known: Vocabulary) -> Vocabulary:
        """The names of the graphs. Raises `LanguageError` for names that cannot be."""
        given = check_names("classes", (*self.classes, *self.stuff_classes))
        things, stuff = given[: len(self.classes)], given[len(self.classes) :]
        # a known stuff class may be asked for as a thing, and the other way round
        things = things or tuple(name for name in known.things if name not in stuff)
        stuff = stuff or tuple(name for name in known.stuff if name not in things)
        return Vocabulary(
            things, stuff, check_names("predicates", self.predicates) or known.predicates
        )


@dataclass(frozen=True)
class Asking:
    """Asked names, and what they mean to some weights.

    Attributes:
        translation: of ids.
        classes, predicates: what the names mean.
        class_order: (inner classes,) int64, which of the kept and then the new names each is.
        base_offset: see `Language`.
    """

    translation: Translation
    classes: Wording
    predicates: Wording
    class_order: np.ndarray
    base_offset: float = 0.0

    @classmethod
    def of(
        cls, asked: Asked, header: Header, weights: str, encoder: TextEncoder | None
    ) -> "Asking":
        """Find out what names mean to weights.

        `encoder`: of weights that have a language. Raises `LanguageError`.
        """
        vocabulary = asked.vocabulary(header.vocabulary)
        classes, predicates = wordings(vocabulary, header, weights, encoder)
        known, config = header.vocabulary, header.config
        is_thing = (np.arange(config.num_classes) < config.num_things)[classes.kept].tolist()
        names = [name for name, stays in zip(known.classes, classes.kept, strict=True) if stays]
        for index, meaning in enumerate(classes.meanings):
            if meaning.is_new:
                names.append(meaning.asked)
                is_thing.append(vocabulary.is_thing(index))
        order = np.argsort(~np.array(is_thing), kind="stable")
        inner = Vocabulary(
            tuple(names[i] for i in order if is_thing[i]),
            tuple(names[i] for i in order if not is_thing[i]),
            _inner_names(predicates, known.predicates),
        )
        asked_classes = _places(classes.inner, len(order))[order]
        asked_predicates = _places(predicates.inner, len(inner.predicates))
        translation = Translation(
            inner, vocabulary, asked_classes, asked_predicates, classes.meant, predicates.meant
        )
        offset = header.language.base_offset if header.language else 0.0
        return cls(translation, classes, predicates, order, offset)

    def tell(self) -> list[str]:
        """A sentence for each name that is not known as such."""
        meanings = [*self.classes.meanings, *self.predicates.meanings]
        inner = np.concatenate((self.classes.inner, self.predicates.inner))
        return [
            _sentence(meaning, place >= 0)
            for meaning, place in zip(meanings, inner, strict=True)
            if meaning.is_new or meaning.asked != meaning.known or place < 0
        ]

    def log(self, weights: str) -> None:
        """Say what the names mean."""
        sentences = self.tell()
        for sentence in sentences[:SHOWN]:
            _log.info("%s: %s", weights, sentence)
        if len(sentences) > SHOWN:
            _log.info("%s: and so on for %d more names", weights, len(sentences) - SHOWN)


def wordings(
    vocabulary: Vocabulary, header: Header, weights: str, encoder: TextEncoder | None
) -> tuple[Wording, Wording]:
    """What the asked classes and predicates mean. Raises `LanguageError`."""
    language, config, known = header.language, header.config, header.vocabulary
    synonyms = language.synonyms if language else {}
    classes = KnownNames("classes", known.classes, weights, synonyms)
    predicates = KnownNames("predicates", known.predicates, weights, synonyms)
    if language is None or encoder is None:
        return (
            classes.closed_wording(vocabulary.classes),
            predicates.closed_wording(vocabulary.predicates),
        )
    of_classes = language.class_phrase, encoder, language.class_snap
    of_predicates = language.predicate_phrase, encoder, language.predicate_snap
    return (
        classes.open_wording(vocabulary.classes, *of_classes, config.class_text_dim > 0),
        predicates.open_wording(
            vocabulary.predicates, *of_predicates, config.predicate_text_dim > 0
        ),
    )


def _inner_names(wording: Wording, known: tuple[str, ...]) -> tuple[str, ...]:
    """The kept names, then the new ones."""
    kept = [name for name, stays in zip(known, wording.kept, strict=True) if stays]
    return (*kept, *(meaning.asked for meaning in wording.meanings if meaning.is_new))


def _places(inner: np.ndarray, count: int) -> np.ndarray:
    """For each of `count` ids the place that it has in `inner`, or -1."""
    found = np.full(count, -1)
    has = np.flatnonzero(inner >= 0)
    found[inner[has]] = has
    return found


def _sentence(meaning: Meaning, is_said: bool) -> str:
    asked, known = repr(meaning.asked), repr(meaning.known)
    if meaning.is_new:
        return f"{asked} is a new word; nearest is {known} (cosine {meaning.similarity:.2f})"
    if not is_said:
        return f"{asked} means {known}, as another asked name does: nothing will be called {asked}"
    return f"{asked} means {known} (cosine {meaning.similarity:.2f})"
