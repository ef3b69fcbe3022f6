"""`dsflash train relations`: from a segmenter's weights and a data set to a model that relates."""

import re
from dataclasses import replace
from pathlib import Path

import torch

from dsflash_ros.data.psg import Record
from dsflash_ros.errors import ConfigError, WeightsError
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.language.available import encoder_of
from dsflash_ros.language.naming import name_relations
from dsflash_ros.language.neural_encoders import open_encoder
from dsflash_ros.language.text_encoder import TextEncoder
from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.header import STAGES, Header
from dsflash_ros.model.language import Language
from dsflash_ros.model.relaters import make_relater
from dsflash_ros.pipeline.device import choose_device
from dsflash_ros.training.configuration import RelationConfig
from dsflash_ros.training.relations.feature_cache import FeatureCache
from dsflash_ros.training.relations.held_out import (
    base_first,
    refuse_nothing_known,
    renumbered,
)
from dsflash_ros.training.relations.pairs import predicate_weights
from dsflash_ros.training.relations.relation_data import RelationSamples, collate_relations
from dsflash_ros.training.relations.relation_training import RelationTraining
from dsflash_ros.training.run import fit as run
from dsflash_ros.training.run.loaders import Loaders
from dsflash_ros.training.run.out_folder import run_folder
from dsflash_ros.weights.loading import open_weights

NECK = ("neck_dim", "neck_depth", "neck_heads")
"""Settings of DSFlash's relation stage."""


def train_relations(config: RelationConfig, resume: bool = False) -> Path:
    """Train, see `run.fit`; returns the path of the best weights.

    Raises also `WeightsError` for a segmenter that does not know the data set's classes.
    """
    config = run.settled(config)
    train, val = run.open_data(config)
    _refuse_mirrored_sides(config, train.vocabulary)
    vocabulary, numbers = base_first(train.vocabulary, config.predicates_novel)
    model, header = prepare_model(config, vocabulary)
    records, val_records = run.with_relations(train), list(val) if val else None
    if config.predicates_novel:
        records = [renumbered(record, numbers) for record in records]
        val_records = val_records and [renumbered(record, numbers) for record in val_records]
        refuse_nothing_known(records, len(vocabulary.predicates), train)
    with run_folder(config, resume, run.is_first_process()) as state:
        cache = None
        if config.feature_cache:
            cache = filled_cache(config, model, header, [*records, *(val_records or [])])
        cells = (model.relations.cell, model.relations.grid)
        samples = RelationSamples(
            records,
            header.config,
            *cells,
            config.augmentation,
            config.seed,
            config.negative_share,
            cache,
            config.found_share if cache else 0.0,
            with_labels=config.found_share > 0 and cache is None,
        )
        val_samples = None
        if val_records:
            val_samples = RelationSamples(val_records, header.config, *cells, cache=cache)
        weights = _predicate_weights(config, records, header)
        module = RelationTraining(model, header, config, weights)
        loaders = Loaders(config, samples, val_samples, collate_relations, header.vocabulary)
        return run.fit(module, loaders, config, header, state)


def prepare_model(config: RelationConfig, vocabulary: Vocabulary) -> tuple[DSFlash, Header]:
    """The segmenter that the configuration names, and a relation stage for the data set's
    predicates: a new one, or the one of those weights.
    """
    if config.segmenter.startswith("random"):
        raise WeightsError(
            f"segmenter={config.segmenter}: an untrained segmenter finds nothing; "
            "name trained weights"
        )
    opened = open_weights(config.segmenter)
    header = opened.header
    _check_segmenter(config.segmenter, header, vocabulary)
    encoder, language = _language(config, opened)
    model_config = _model_config(config, header.config, vocabulary)
    if config.text_encoder:
        model_config = replace(model_config, predicate_text_dim=encoder.width)
    if config.keep_relations:
        _refuse_learned(config, header)
        _check_relations(config.segmenter, header, vocabulary, model_config)
        model = opened.load()
    else:
        model = opened.load()
        torch.manual_seed(config.seed)
        model.config, model.relations = model_config, make_relater(model_config, model.segmenter)
        header = replace(header, config=model_config, vocabulary=vocabulary, language=language)
        name_relations(model, header, encoder)
    if config.pruning and "pruning" not in model.relations.options:
        raise ConfigError(
            f"pruning=true: the relation stage {model_config.relater!r} has nothing to prune"
        )
    recipe = {**header.recipe, "relations": config.model_dump(mode="json")}
    recipe.pop("calibration", None)  # of the scores of before
    return model, replace(header, trained=STAGES, recipe=recipe, scores={})


def _language(config: RelationConfig, opened) -> tuple[TextEncoder | None, Language | None]:
    """What encodes the names of a new relation stage, and what its weights will say of that."""
    language = opened.header.language
    if language is None and config.text_encoder:
        encoder = open_encoder(config.text_encoder)
        return encoder, Language(config.text_encoder, encoder.sha256)
    return encoder_of(opened, config.text_encoder or ""), language


def _model_config(
    config: RelationConfig, before: ModelConfig, vocabulary: Vocabulary
) -> ModelConfig:
    """The segmenter's as it is, the relation stage's as the configuration says."""
    changes = {key: getattr(config, key) for key in NECK if getattr(config, key)}
    if config.relater and config.relater != before.relater:
        changes |= {"relater": config.relater, "relater_settings": {}}
    if config.relater_settings is not None:
        changes["relater_settings"] = config.relater_settings
    return replace(before, num_predicates=len(vocabulary.predicates), **changes)


def _check_segmenter(name: str, header: Header, vocabulary: Vocabulary) -> None:
    difference = header.vocabulary.difference(vocabulary, ("things", "stuff"))
    if difference:
        raise WeightsError(
            f"the segmenter {name} does not know the data set's classes: it has {difference}; "
            "train a segmenter on this data set first (dsflash train segmenter)"
        )
    if "segmenter" not in header.trained:
        raise WeightsError(
            f"the segmenter of {name} is untrained; train it first (dsflash train segmenter)"
        )


def _refuse_learned(config: RelationConfig, header: Header) -> None:
    """Raise `ConfigError` when a relation stage to keep has learned what it is not to know."""
    learned = [name for name in config.predicates_novel if name in header.vocabulary.predicates]
    if learned:
        raise ConfigError(
            f"predicates_novel: the relation stage of {config.segmenter} has learned "
            f"{', '.join(map(repr, learned))} already; keep_relations=false starts with a new one"
        )


def _check_relations(
    name: str, header: Header, vocabulary: Vocabulary, wanted: ModelConfig
) -> None:
    """Raise an error unless the weights have a relation stage to keep, and it is the wanted one.

    It may be trained here, or converted from a DSFormer.
    """
    if "relations" not in header.trained and "relations" not in header.recipe:
        raise WeightsError(
            f"keep_relations: the relation stage of {name} is untrained, there is nothing to keep"
        )
    if header.vocabulary.predicates != vocabulary.predicates:
        raise ConfigError(
            f"keep_relations: {name} was made for other predicates than the data set's"
        )
    if header.config.relater != wanted.relater:
        raise ConfigError(
            f"keep_relations: the relation stage of {name} is {header.config.relater!r}; "
            "set relater to this, or null"
        )
    if header.config.relater_settings != wanted.relater_settings:
        raise ConfigError(
            f"keep_relations: the relation stage of {name} has "
            f"relater_settings={header.config.relater_settings}; set these, or null"
        )
    if header.config != wanted:
        sizes = ", ".join(f"{key}={getattr(header.config, key)}" for key in NECK)
        raise ConfigError(
            f"keep_relations: the neck of {name} has {sizes}; set these, or null, as neck_dim=null"
        )


def _refuse_mirrored_sides(config: RelationConfig, vocabulary: Vocabulary) -> None:
    sided = [name for name in vocabulary.predicates if re.search(r"\b(left|right)\b", name)]
    if sided and config.augmentation != "none":
        raise ConfigError(
            f"augmentation={config.augmentation} mirrors images, after which {sided[0]!r} would be "
            "wrong; use augmentation=none with predicates that tell left from right"
        )


def _predicate_weights(
    config: RelationConfig, records: list[Record], header: Header
) -> torch.Tensor | None:
    if not config.balance_predicates:
        return None
    known = header.config.num_predicates
    relations = [torch.from_numpy(one.relations[one.relations[:, 2] < known]) for one in records]
    return predicate_weights(relations, header.config.num_predicates, config.negative_share)


def filled_cache(
    config: RelationConfig, model: DSFlash, header: Header, records: list[Record]
) -> FeatureCache:
    """The features of all records, computed in the run's precision, as they are without a cache."""
    config = run.settled(config)
    cache = FeatureCache(
        config.feature_cache,
        model.segmenter,
        header,
        config.precision,
        with_segments=config.found_share > 0,
    )
    device = choose_device(config.device)
    flips = (False, True) if config.augmentation == "flip" else (False,)
    cache.fill(model.segmenter.to(device).eval(), records, flips, config.batch_size, config.workers)
    model.segmenter.cpu()
    return cache
