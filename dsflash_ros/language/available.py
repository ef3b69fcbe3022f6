"""The text encoder that weights can be asked with, as far as one is needed."""

from collections.abc import Callable, Sequence

import numpy as np

from dsflash_ros.errors import DSFlashError, LanguageError
from dsflash_ros.language.text_encoder import PhraseTable, TextEncoder
from dsflash_ros.model.language import Language
from dsflash_ros.weights.loading import OpenedWeights


class AvailableEncoder(TextEncoder):
    """Stored embeddings first; a neural encoder for phrases that are not stored.

    So words that are stored with the weights need no encoder on the robot.
    """

    def __init__(self, table: PhraseTable, open_encoder: Callable[[], TextEncoder]) -> None:
        """`open_encoder` is called when a phrase is not stored. It may raise `DSFlashError`."""
        self.sha256, self.width = table.sha256, table.width
        self._table, self._open = table, open_encoder
        self._encoder: TextEncoder | None = None

    def encode(self, phrases: Sequence[str]) -> np.ndarray:
        """See `TextEncoder`. Raises `LanguageError` when an encoder is needed and not there."""
        strange = [phrase for phrase in dict.fromkeys(phrases) if phrase not in self._table]
        if not strange:
            return self._table.encode(phrases)
        table = PhraseTable(
            (*self._table.phrases, *strange),
            np.concatenate((self._table.embeddings, self._neural(strange).encode(strange))),
            self.sha256,
        )
        return table.encode(phrases)

    def _neural(self, strange: Sequence[str]) -> TextEncoder:
        if self._encoder is None:
            try:
                self._encoder = self._open()
            except DSFlashError as error:
                words = ", ".join(map(repr, strange[:5]))
                raise LanguageError(
                    f"no embedding of {words} is stored with the weights, and their text encoder "
                    f"cannot be had ({error}); text_encoder can name its folder"
                ) from error
        return self._encoder


def encoder_of(opened: OpenedWeights, name: str = "") -> TextEncoder | None:
    """What encodes words for weights; None for those with a closed vocabulary.

    `name`: folder or hub id of their text encoder, in place of the one that they name. It is opened
    when a word is not stored with the weights.
    """
    language = opened.header.language
    if language is None:
        return None

    def open_checked() -> TextEncoder:
        from dsflash_ros.language.neural_encoders import open_encoder

        encoder = open_encoder(name or language.encoder)
        check_same(encoder, language)
        return encoder

    config, stored = opened.header.config, opened.phrases()
    if not len(stored):
        stored = np.zeros((0, config.class_text_dim or config.predicate_text_dim), np.float32)
    table = PhraseTable(language.phrases, stored, language.sha256)
    return AvailableEncoder(table, open_checked)


def check_same(encoder: TextEncoder, language: Language) -> None:
    """Raise `LanguageError` when the embeddings of weights are of another encoder."""
    if encoder.sha256 != language.sha256:
        raise LanguageError(
            f"the text encoder has SHA-256 {encoder.sha256[:12]}…, but the weights learned with "
            f"{language.encoder} of {language.sha256[:12]}…: their embeddings do not go together"
        )
