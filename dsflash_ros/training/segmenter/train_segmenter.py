"""`dsflash train segmenter`: from a data set, and a pretrained backbone, to a segmenter."""

import logging
from pathlib import Path

import torch

from dsflash_ros.errors import ConfigError, ForeignWeightsError, WeightsError
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.language.naming import embedded_classes
from dsflash_ros.language.neural_encoders import open_encoder
from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.model.checkpoints import Header
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.language import Language
from dsflash_ros.training.configuration import SegmenterConfig
from dsflash_ros.training.run import fit as run
from dsflash_ros.training.run.loaders import Loaders
from dsflash_ros.training.run.out_folder import run_folder
from dsflash_ros.training.segmenter.pretrained import load_backbone
from dsflash_ros.training.segmenter.segmenter_data import SegmenterSamples, collate_segmenter
from dsflash_ros.training.segmenter.segmenter_training import SegmenterTraining
from dsflash_ros.weights.loading import OpenedWeights, open_weights, require_file

_log = logging.getLogger(__name__)


def train_segmenter(config: SegmenterConfig, resume: bool = False) -> Path:
    """Train, see `run.fit`; returns the path of the best weights.

    Raises also `WeightsError` for weights to start from that do not fit.
    """
    config = run.settled(config)
    train, val = run.open_data(config)
    most = max(len(record.class_ids) for record in train)
    if most > config.num_queries and run.is_first_process():
        _log.warning(
            "images have up to %d segments, more than the %d queries can find",
            most,
            config.num_queries,
        )
    model, header = prepare_model(config, train.vocabulary)
    module = SegmenterTraining(model, train.vocabulary, config)
    side = header.config.image_size
    with run_folder(config, resume, run.is_first_process()) as state:
        samples = SegmenterSamples(train, side, config.augmentation, config.seed)
        val_samples = SegmenterSamples(val, side) if val else None
        loaders = Loaders(config, samples, val_samples, collate_segmenter, header.vocabulary)
        return run.fit(module, loaders, config, header, state)


def prepare_model(config: SegmenterConfig, vocabulary: Vocabulary) -> tuple[DSFlash, Header]:
    """A model for the vocabulary, started as the configuration says; its relation stage is new."""
    encoder = open_encoder(config.text_encoder) if config.text_encoder else None
    try:
        model_config = ModelConfig.for_vocabulary(
            vocabulary,
            class_text_dim=encoder.width if encoder else 0,
            segmenter=config.segmenter,
            segmenter_settings=config.segmenter_settings,
            size=config.size,
            backbone=config.backbone or "",
            image_size=config.image_size,
            num_queries=config.num_queries,
        )
    except WeightsError as error:
        raise ConfigError(str(error)) from error
    torch.manual_seed(config.seed)
    model = DSFlash(model_config)
    if config.start:
        opened = _open_model(config.start)
        if opened:
            _take_over(model, opened, vocabulary)
        else:
            _start_from_backbone(model, config.start)
    language = None
    if encoder:
        language = Language(config.text_encoder, encoder.sha256)
        model.segmenter.name_classes(embedded_classes(encoder, language, vocabulary.classes))
    recipe = {"segmenter": config.model_dump(mode="json")}
    trained = ("segmenter",)
    return model, Header(model_config, vocabulary, trained, recipe, language=language)


def _open_model(start: str) -> OpenedWeights | None:
    """The weights to start from. None: they are a backbone alone."""
    if start == "timm" or start.startswith("timm:"):
        return None
    try:
        opened = open_weights(start)
    except ForeignWeightsError:
        return None
    require_file(opened)
    return opened


def _start_from_backbone(model: DSFlash, start: str) -> None:
    """Take over a pretrained backbone: a file, or one that timm downloads."""
    encoder = model.segmenter.encoder
    if encoder is None:
        raise ConfigError(
            f"start={start}: the segmenter {model.config.segmenter!r} has no backbone that could "
            "start from it; give a checkpoint of dsflash_ros, or null"
        )
    load_backbone(encoder, f"timm:{encoder.timm_name}" if start == "timm" else start)


def _take_over(model: DSFlash, opened: OpenedWeights, vocabulary: Vocabulary) -> None:
    """Take over a trained segmenter, as far as `Segmenter.adapt_state` makes it fit."""
    config, wanted = opened.header.config, model.config
    if config.segmenter != wanted.segmenter:
        raise WeightsError(
            f"{opened.name} cannot be the start: its segmenter is {config.segmenter!r}, "
            f"not {wanted.segmenter!r}; set segmenter to the same"
        )
    same_classes = opened.header.vocabulary.classes == vocabulary.classes
    state = opened.load().segmenter.state_dict()
    try:
        state = model.segmenter.adapt_state(state, same_classes)
    except WeightsError as error:
        raise WeightsError(f"{opened.name} cannot be the start: {error}") from error
    expected = model.segmenter.state_dict()
    fits = state.keys() == expected.keys() and all(
        state[name].shape == expected[name].shape for name in expected
    )
    if not fits:
        raise WeightsError(f"{opened.name} cannot be the start: it is {_sizes(config)} to the same")
    model.segmenter.load_state_dict(state)


def _sizes(config: ModelConfig) -> str:
    """What fixes the shapes of a segmenter, and the settings that have to be set."""
    if config.segmenter == "eomt":
        return (
            f"{config.size} {config.backbone} with {config.num_queries} queries; "
            "set size, backbone and num_queries"
        )
    if config.segmenter == "mask2former":
        return (
            f"{config.kind} with {config.num_queries} queries and {config.segmenter_settings}; set "
            "backbone, num_queries, and the sizes in segmenter_settings (p1, p2, p3, "
            "pixel_embedding and recalibration may differ)"
        )
    return (
        f"{config.segmenter!r} of {config.image_size} pixels with {config.segmenter_settings}; "
        "set image_size and segmenter_settings"
    )
