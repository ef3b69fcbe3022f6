"""What a text encoder is. Imports no torch."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from dsflash_ros.errors import LanguageError


class TextEncoder(ABC):
    """Turns phrases into vectors whose cosines tell how near their meanings are.

    Attributes:
        sha256: of its weights. Embeddings of encoders with other weights do not go together.
        width: D, the numbers of an embedding.
    """

    sha256: str
    width: int

    @abstractmethod
    def encode(self, phrases: Sequence[str]) -> np.ndarray:
        """(n, D) float32, each of length 1.

        Raises `LanguageError` for phrases that it cannot encode.
        """


class PhraseTable(TextEncoder):
    """Embeddings of some phrases, made beforehand: an encoder that needs no network to run.

    Attributes:
        phrases: those that it knows.
        embeddings: (len(phrases), D) float32, each of length 1.
    """

    def __init__(self, phrases: Sequence[str], embeddings: np.ndarray, sha256: str) -> None:
        """`sha256`: of the encoder that made the embeddings."""
        self.phrases = tuple(phrases)
        self.embeddings = normalised(embeddings)
        self.sha256, self.width = sha256, self.embeddings.shape[1]
        self._rows = {phrase: row for row, phrase in enumerate(self.phrases)}

    def __contains__(self, phrase: str) -> bool:
        return phrase in self._rows

    def encode(self, phrases: Sequence[str]) -> np.ndarray:
        unknown = [phrase for phrase in phrases if phrase not in self._rows]
        if unknown:
            raise LanguageError(f"no embedding of {', '.join(map(repr, unknown[:5]))} is stored")
        return self.embeddings[[self._rows[phrase] for phrase in phrases]]


def normalised(vectors: np.ndarray) -> np.ndarray:
    """Vectors, (n, D), of length 1, float32; zeros stay."""
    vectors = np.asarray(vectors, np.float32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
