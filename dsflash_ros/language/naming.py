"""Names of a model with open heads, as the text embeddings that it knows them by."""

from collections.abc import Sequence

import torch

from dsflash_ros.language.text_encoder import TextEncoder
from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.model.header import Header
from dsflash_ros.model.language import Language


def embedded_predicates(
    encoder: TextEncoder, language: Language, names: Sequence[str]
) -> torch.Tensor:
    """(n, D) float32. Raises `LanguageError`."""
    return torch.from_numpy(encoder.encode([language.predicate_phrase(name) for name in names]))


def embedded_classes(
    encoder: TextEncoder, language: Language, names: Sequence[str]
) -> torch.Tensor:
    """(n, D) float32. Raises `LanguageError`."""
    return torch.from_numpy(encoder.encode([language.class_phrase(name) for name in names]))


def name_relations(model: DSFlash, header: Header, encoder: TextEncoder | None) -> None:
    """Give a new relation stage the names that it knows by text.

    Predicates are those of the header; classes are the segmenter's, as its weights have them.
    """
    if header.config.predicate_text_dim:
        names = header.vocabulary.predicates
        model.relations.name_predicates(embedded_predicates(encoder, header.language, names))
    if header.config.class_text_dim:
        model.relations.name_classes(model.segmenter.class_head.names)
