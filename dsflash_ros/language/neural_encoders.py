"""Text encoders that are neural networks: of sentences (MiniLM) and of CLIP."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dsflash_ros.conversion.checkpoint_files import sha256_of
from dsflash_ros.errors import LanguageError, WeightsError, missing_extra
from dsflash_ros.files import expand
from dsflash_ros.language.text_encoder import TextEncoder, normalised
from dsflash_ros.weights.hub import fetch_folder

if TYPE_CHECKING:
    import torch

WEIGHTS_FILE = "model.safetensors"

FILES = (WEIGHTS_FILE, "config.json", "tokenizer.json", "tokenizer_config.json")
"""Of a text encoder on the hub or in a folder."""

OTHER_FILES = ("vocab.txt", "vocab.json", "merges.txt", "special_tokens_map.json")
"""That older tokenizers have."""

AT_ONCE = 256
"""Phrases that pass the encoder together."""


class NeuralEncoder(TextEncoder):
    """An encoder of a folder in the layout of transformers, on the CPU, in float32.

    Attributes:
        is_clip: whether it is the text half of a CLIP.
    """

    def __init__(self, folder: Path) -> None:
        """Raises `MissingExtraError`, and `LanguageError` when no encoder is there."""
        try:
            from transformers import AutoConfig, AutoTokenizer
        except ImportError as error:
            raise missing_extra("language", error) from error
        try:
            config = AutoConfig.from_pretrained(folder, local_files_only=True)
            with no_load_report():
                self._model = _model_class(config.model_type).from_pretrained(
                    folder, local_files_only=True, use_safetensors=True
                )
            self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise LanguageError(
                f"{folder} holds no text encoder that transformers can load ({reason}); give the "
                "folder or the hub id of a BERT for sentences, or of a CLIP"
            ) from error
        self._model.eval()
        self.is_clip = config.model_type.startswith("clip")
        self._folder = folder
        self.width = config.projection_dim if self.is_clip else config.hidden_size

    @cached_property
    def sha256(self) -> str:
        """See `TextEncoder`; reading a file of a gigabyte takes a second."""
        return sha256_of(self._folder / WEIGHTS_FILE)

    def encode(self, phrases: Sequence[str]) -> np.ndarray:
        import torch

        parts = [phrases[start : start + AT_ONCE] for start in range(0, len(phrases), AT_ONCE)]
        with torch.inference_mode():
            vectors = [self._encode(list(part)).float().numpy() for part in parts]
        return normalised(np.concatenate([np.zeros((0, self.width), np.float32), *vectors]))

    def _encode(self, phrases: list[str]) -> "torch.Tensor":
        # CLIP was trained with all texts padded to the same length.
        padding = "max_length" if self.is_clip else True
        tokens = self._tokenizer(phrases, padding=padding, truncation=True, return_tensors="pt")
        if self.is_clip:
            return self._model(**tokens).text_embeds
        # sentence-transformers' pooling: the mean over all tokens but the padding
        attended = tokens["attention_mask"].unsqueeze(-1)
        states = self._model(**tokens).last_hidden_state * attended
        return states.sum(1) / attended.sum(1)


@contextmanager
def no_load_report() -> Iterator[None]:
    """Let transformers load a part of a file without listing all others."""
    from transformers.utils import logging

    verbosity, has_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if has_bars:
            logging.enable_progress_bar()


def _model_class(kind: str):
    from transformers import AutoModel, CLIPTextModelWithProjection

    return CLIPTextModelWithProjection if kind.startswith("clip") else AutoModel


def open_encoder(name: str) -> NeuralEncoder:
    """The encoder of a folder, or of a hub id as in `org/name`, downloaded once.

    Raises `LanguageError` when it cannot be had, and `MissingExtraError`.
    """
    return NeuralEncoder(encoder_folder(name))


def encoder_folder(name: str, what: str = "text encoder") -> Path:
    """Where the encoder is, which is a folder or a hub id; `what` it is called in errors.

    Raises `LanguageError` when it cannot be had.
    """
    folder = expand(name)
    if not folder.is_dir():
        try:
            folder = fetch_folder(name, FILES, OTHER_FILES)
        except WeightsError as error:
            raise LanguageError(f"no {what} {name!r}: {error}") from error
    if not (folder / WEIGHTS_FILE).is_file():
        raise LanguageError(f"no {what} in {folder}: {WEIGHTS_FILE} is missing")
    return folder
