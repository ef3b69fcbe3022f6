"""Names that a pipeline is asked for, in place of those that its weights learned."""

import logging
from collections.abc import Collection
from dataclasses import dataclass, fields

import numpy as np

from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.language.mixing import mixing
from dsflash_ros.language.text_encoder import TextEncoder
from dsflash_ros.language.wording import KnownNames, Meaning, Wording, check_names, list_names
from dsflash_ros.model.header import Header
from dsflash_ros.pipeline.translation import Translation

_log = logging.getLogger(__name__)

SHOWN = 20
"""Names whose meaning is said in the log, at most."""


@dataclass(frozen=True)
class Asked:
    """What to tell apart.

    An empty list asks for all of that kind that the weights know, except what names of the other
    lists mean. Raises `LanguageError` for what is no list of strings.
    """

    classes: tuple[str, ...] = ()
    stuff_classes: tuple[str, ...] = ()
    predicates: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in NAMES:
            object.__setattr__(self, name, list_names(name, getattr(self, name)))

    def __bool__(self) -> bool:
        return bool(self.classes or self.stuff_classes or self.predicates)

    def vocabulary(self, known: Vocabulary, meant: Collection[str] = ()) -> Vocabulary:
        """The names of the graphs. Raises `LanguageError` for names that cannot be.

        `meant`: the known classes that asked ones mean; an empty list does not ask for these.
        """
        given, predicates = self.checked()
        things, stuff = given[: len(self.classes)], given[len(self.classes) :]
        # a known stuff class may be asked for as a thing, and the other way round
        taken = {*given, *meant}
        things = things or tuple(name for name in known.things if name not in taken)
        stuff = stuff or tuple(name for name in known.stuff if name not in taken)
        return Vocabulary(things, stuff, predicates or known.predicates)

    def checked(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """All classes, and the predicates. Raises `LanguageError` for what no weights can do."""
        classes = check_names("classes", (*self.classes, *self.stuff_classes))
        return classes, check_names("predicates", self.predicates)


NAMES = tuple(field.name for field in fields(Asked))
"""The parameters that ask for names."""


@dataclass(frozen=True)
class Asking:
    """Asked names, and how a model tells them apart.

    Attributes:
        translation: of ids.
        classes, predicates: what the names mean.
        class_order: (inner classes,) int64, which of the known and then the new names each is.
        class_mixing, predicate_mixing: (known names, inner names) float32, from logits of known
            names to those of inner ones, see `mixing`. None where there are no new names in another
            order, and where the model learned with text embeddings, so that it takes those of any.
        known_classes: (inner classes,) int64, the nearest known class of each.
        offsets: (inner predicates,) float32, added to their logits; None where none is new.
    """

    translation: Translation
    classes: Wording
    predicates: Wording
    class_order: np.ndarray
    class_mixing: np.ndarray | None
    predicate_mixing: np.ndarray | None
    known_classes: np.ndarray
    offsets: np.ndarray | None

    @classmethod
    def of(
        cls,
        asked: Asked,
        header: Header,
        weights: str,
        encoder: TextEncoder | None,
        is_fixed: bool = False,
    ) -> "Asking":
        """Find out what names mean to weights.

        `encoder`: of weights that have a language. `is_fixed`: the model's names cannot change, as
        those of an exported one. Raises `LanguageError`.
        """
        known, config = header.vocabulary, header.config
        vocabulary, classes, predicates = wordings(asked, header, weights, encoder)
        order, inner, nearest = _inner_vocabulary(vocabulary, header, classes, predicates)
        translation = Translation(
            known,
            inner,
            vocabulary,
            _places(classes.inner, len(order))[order],
            _places(predicates.inner, len(inner.predicates)),
            classes.meant,
            predicates.meant,
        )
        mixings, offsets = [None, None], None
        if classes.is_new and (is_fixed or not config.class_text_dim):
            names = encoder.encode([header.language.class_phrase(name) for name in known.classes])
            mixings[0] = mixing(names, classes.embeddings)[:, order]
        elif (order != np.arange(len(order))).any() and (is_fixed or not config.class_text_dim):
            mixings[0] = np.eye(len(order), dtype=np.float32)[:, order]
        if predicates.is_new:
            offsets = np.zeros(len(inner.predicates), np.float32)
            offsets[: len(known.predicates)] = header.language.base_offset
            if is_fixed or not config.predicate_text_dim:
                phrases = [header.language.predicate_phrase(name) for name in known.predicates]
                mixings[1] = mixing(encoder.encode(phrases), predicates.embeddings)
        return cls(translation, classes, predicates, order, *mixings, nearest, offsets)

    def guesses(self) -> list[str]:
        """A sentence for each name that is neither known nor a stored synonym of a known one."""
        meanings = [*self.classes.meanings, *self.predicates.meanings]
        inner = np.concatenate((self.classes.inner, self.predicates.inner))
        return [
            _sentence(meaning, place >= 0)
            for meaning, place in zip(meanings, inner, strict=True)
            if meaning.is_new or meaning.similarity < 1 or place < 0
        ]

    def log(self, weights: str) -> None:
        """Warn of names whose meaning is a guess."""
        sentences = self.guesses()
        for sentence in sentences[:SHOWN]:
            _log.warning("%s: %s", weights, sentence)
        if len(sentences) > SHOWN:
            _log.warning("%s: and so on for %d more names", weights, len(sentences) - SHOWN)


def wordings(
    asked: Asked, header: Header, weights: str, encoder: TextEncoder | None
) -> tuple[Vocabulary, Wording, Wording]:
    """The names of the graphs, what their classes mean, and what their predicates mean.

    Raises `LanguageError`.
    """
    language, known = header.language, header.vocabulary
    synonyms = language.synonyms if language else {}
    classes = KnownNames("classes", known.classes, weights, synonyms)
    predicates = KnownNames("predicates", known.predicates, weights, synonyms)
    given, told = asked.checked()
    told = told or known.predicates
    if language is None or encoder is None:
        of_given, of_told = classes.closed_wording(given), predicates.closed_wording(told)
    else:
        others = language.phrases
        of_given = classes.open_wording(given, language.class_phrase, encoder, others=others)
        of_told = predicates.open_wording(told, language.predicate_phrase, encoder, others=others)
    vocabulary = asked.vocabulary(known, of_given.meant)
    return vocabulary, classes.extended(of_given, vocabulary.classes), of_told


def _inner_vocabulary(
    vocabulary: Vocabulary, header: Header, classes: Wording, predicates: Wording
) -> tuple[np.ndarray, Vocabulary, np.ndarray]:
    """The order of inner classes, things first; the inner names; each one's nearest known class.

    A thing that is asked for as stuff is stuff here, so that its instances become one segment.
    """
    known, config = header.vocabulary, header.config
    is_thing = (np.arange(config.num_classes) < config.num_things).tolist()
    names, nearest = list(known.classes), list(range(config.num_classes))
    for index, meaning in enumerate(classes.meanings):
        if meaning.is_new:
            names.append(meaning.asked)
            nearest.append(known.classes.index(meaning.known))
            is_thing.append(vocabulary.is_thing(index))
        elif classes.inner[index] >= 0 and not vocabulary.is_thing(index):
            is_thing[classes.inner[index]] = False
    order = np.argsort(~np.array(is_thing), kind="stable")
    inner = Vocabulary(
        tuple(names[i] for i in order if is_thing[i]),
        tuple(names[i] for i in order if not is_thing[i]),
        (*known.predicates, *(one.asked for one in predicates.meanings if one.is_new)),
    )
    return order, inner, np.array(nearest)[order]


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
