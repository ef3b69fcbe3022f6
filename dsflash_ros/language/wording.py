"""What asked names mean to weights: known names, their synonyms, or words never trained."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dsflash_ros.errors import LanguageError
from dsflash_ros.graph.words import plain_words
from dsflash_ros.language.text_encoder import TextEncoder
from dsflash_ros.option import QUOTES

MOST_NAMES = 10_000
"""That can be asked for at once, of one kind."""

SNAP = 0.6
"""Least cosine of a strange name and the known phrase that it means; benchmarks/synonyms.py."""


@dataclass(frozen=True)
class Meaning:
    """What an asked name means.

    Attributes:
        asked: the name.
        known: the known name that it means, or that is nearest.
        similarity: cosine of the asked phrase and the nearest known one; 1 for the same words.
        is_new: the weights never learned it: its text embedding decides.
    """

    asked: str
    known: str
    similarity: float = 1.0
    is_new: bool = False

    @property
    def rank(self) -> tuple[float, bool]:
        """Of several asked names that mean the same, the one of the least rank is told."""
        return -self.similarity, plain_words(self.asked) != plain_words(self.known)


@dataclass(frozen=True)
class Wording:
    """The asked names of one kind, classes or predicates.

    The model goes on telling all known names apart, so that nothing is taken for an asked name that
    is none. New names come after them.

    Attributes:
        meanings: of the asked names, in their order.
        inner: (asked names,) int64, which name of the model each asked one is, counting the known
            names, then the new ones; -1 where a nearer synonym has it.
        embeddings: (new names, D) float32.
    """

    meanings: tuple[Meaning, ...]
    inner: np.ndarray
    embeddings: np.ndarray

    @property
    def meant(self) -> tuple[str, ...]:
        """For each asked name the known one that it means; empty for a new one."""
        return tuple("" if meaning.is_new else meaning.known for meaning in self.meanings)

    @property
    def is_new(self) -> bool:
        """Whether a name was never trained."""
        return len(self.embeddings) > 0


@dataclass(frozen=True)
class KnownNames:
    """The names of one kind that weights learned, and what else stands for them.

    Attributes:
        kind: the plural for them, `classes` or `predicates`.
        names: in the order of the model's outputs.
        weights: what has learned them.
        synonyms: by name, other phrases for it.
    """

    kind: str
    names: tuple[str, ...]
    weights: str
    synonyms: Mapping[str, Sequence[str]]

    def phrases(self) -> dict[str, str]:
        """The name that each known phrase, in plain words, stands for."""
        found = {plain_words(text): name for name in self.names for text in self._synonyms(name)}
        return found | {plain_words(name): name for name in self.names}

    def _synonyms(self, name: str) -> Sequence[str]:
        return self.synonyms.get(name, ())

    def closed_wording(self, asked: Sequence[str]) -> Wording:
        """The wording without a text encoder: only known phrases will do.

        Raises `LanguageError` for others.
        """
        asked = check_names(self.kind, asked)
        meanings = self._known(asked)
        strange = [name for name in asked if name not in meanings]
        if strange:
            raise LanguageError(
                f"{self.kind}: the weights {self.weights!r} have a closed vocabulary without "
                f"{_some(strange)} (`dsflash weights open` would give them words); they know "
                f"{_some(self.names)}"
            )
        return self._wording([meanings[name] for name in asked], np.zeros((0, 0), np.float32))

    def open_wording(
        self,
        asked: Sequence[str],
        phrase_of: Callable[[str], str],
        encoder: TextEncoder,
        snap: float = SNAP,
        others: Sequence[str] = (),
    ) -> Wording:
        """The wording with text embeddings.

        A strange name means the known phrase that is nearest to it, unless that is too far, or a
        phrase of `others` is nearer: so "underneath" is no "above" where "under" is among these.

        Args:
            asked: the names.
            phrase_of: what is encoded of a name.
            encoder: what encodes it.
            snap: least cosine of a strange name and the phrase that it means.
            others: texts, as `phrase_of` gives them, that mean no known name.

        Raises `LanguageError` for bad names, and for those that cannot be encoded.
        """
        asked = check_names(self.kind, asked)
        meanings = self._known(asked)
        strange = [name for name in asked if name not in meanings]
        new = np.zeros((0, encoder.width), np.float32)
        if strange:
            phrases = self.phrases()
            embeddings = encoder.encode([phrase_of(name) for name in strange])
            known = [phrase_of(text) for text in phrases]
            others = [text for text in others if text not in known]
            near = embeddings @ encoder.encode([*known, *others]).T
            best, cosines = near[:, : len(known)].argmax(1), near[:, : len(known)].max(1)
            is_new = (cosines < snap) | (near.argmax(1) >= len(known))
            names = list(phrases.values())
            for name, row, *rest in zip(
                strange, best, cosines.tolist(), is_new.tolist(), strict=True
            ):
                meanings[name] = Meaning(name, names[row], *rest)
            new = embeddings[is_new]
        return self._wording([meanings[name] for name in asked], new)

    def extended(self, wording: Wording, names: Sequence[str]) -> Wording:
        """The wording of `names`: those of `wording`, in their order there, and known names."""
        meanings = {meaning.asked: meaning for meaning in wording.meanings}
        found = [meanings.get(name) or Meaning(name, name) for name in names]
        return self._wording(found, wording.embeddings)

    def _known(self, asked: Sequence[str]) -> dict[str, Meaning]:
        """Meanings of those asked names that are known phrases."""
        exact, phrases = set(self.names), self.phrases()
        found = {name: name if name in exact else phrases.get(plain_words(name)) for name in asked}
        return {name: Meaning(name, known) for name, known in found.items() if known}

    def _wording(self, meanings: list[Meaning], new: np.ndarray) -> Wording:
        place = {name: index for index, name in enumerate(self.names)}
        inner, last = np.full(len(meanings), -1), len(self.names)
        for index in sorted(range(len(meanings)), key=lambda i: meanings[i].rank):
            if not meanings[index].is_new:
                inner[index] = place.pop(meanings[index].known, -1)
        for index, meaning in enumerate(meanings):
            if meaning.is_new:
                inner[index], last = last, last + 1
        return Wording(tuple(meanings), inner, new)


def list_names(kind: str, names: object) -> tuple[str, ...]:
    """The names that somebody asks for; None: none.

    Raises `LanguageError` for what is no list of strings.
    """
    if names is None:
        return ()
    if isinstance(names, str):
        raise LanguageError(f"{kind} must be a list of names, as [{names!r}], not {names!r} alone")
    if isinstance(names, bytes) or not isinstance(names, Iterable):
        raise LanguageError(f"{kind} must be a list of names, not {names!r}")
    names = tuple(names)
    for name in names:
        if not isinstance(name, str):
            hint = f"; {QUOTES}" if isinstance(name, bool) else ""
            raise LanguageError(f"{kind} must be strings, not {name!r}{hint}")
    return names


def check_names(kind: str, names: Sequence[str]) -> tuple[str, ...]:
    """The names without spaces around them.

    Raises `LanguageError` for empty, repeated or too many names; `kind` is the plural for them.
    """
    names = tuple(name.strip() for name in names)
    if not all(names):
        raise LanguageError(f"{kind}: a name is empty; an empty list asks for all that are known")
    if len(names) > MOST_NAMES:
        raise LanguageError(f"{kind}: {len(names)} names are too many, {MOST_NAMES} at most")
    seen: set[str] = set()
    twice = [name for name in names if name in seen or seen.add(name)]
    if twice:
        raise LanguageError(f"{kind}: {_some(twice)} is asked for more than once")
    return names


def _some(names: Sequence[str], most: int = 40) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(repr, names[:most])) + more
