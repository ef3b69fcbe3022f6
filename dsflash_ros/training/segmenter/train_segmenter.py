"""`dsflash train segmenter`: from a data set, and a pretrained backbone if there is one, to a model
that segments.
"""

import logging
from pathlib import Path

import torch

from dsflash_ros.errors import ConfigError, ForeignWeightsError, WeightsError
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.model.checkpoints import Header
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.training.configuration import SegmenterConfig
from dsflash_ros.training.run import fit as run
from dsflash_ros.training.run.loaders import Loaders
from dsflash_ros.training.run.out_folder import run_folder
from dsflash_ros.training.segmenter.pretrained import load_backbone, scale_positions
from dsflash_ros.training.segmenter.segmenter_data import SegmenterSamples, collate_segmenter
from dsflash_ros.training.segmenter.segmenter_training import SegmenterTraining
from dsflash_ros.weights.loading import OpenedWeights, open_weights, require_file

_log = logging.getLogger(__name__)


def train_segmenter(config: SegmenterConfig, resume: bool = False) -> Path:
    """Train, see `run.fit`; returns the path of the best weights.

    Raises also `WeightsError` for weights to start from that do not fit.
    """
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
    with run_folder(config, resume, run.is_first_process()) as state:
        samples = SegmenterSamples(
            train, header.config.image_size, config.augmentation, config.seed
        )
        val_samples = SegmenterSamples(val, header.config.image_size) if val else None
        return run.fit(
            module, Loaders(config, samples, val_samples, collate_segmenter), config, header, state
        )


def prepare_model(config: SegmenterConfig, vocabulary: Vocabulary) -> tuple[DSFlash, Header]:
    """A model for the vocabulary, started as the configuration says; its relation stage is new."""
    try:
        model_config = ModelConfig(
            config.size,
            config.backbone,
            config.image_size,
            len(vocabulary.things),
            len(vocabulary.stuff),
            len(vocabulary.predicates),
            config.num_queries,
        )
    except WeightsError as error:
        raise ConfigError(str(error)) from error
    torch.manual_seed(config.seed)
    model = DSFlash(model_config)
    if config.start == "timm":
        load_backbone(model.segmenter, f"timm:{model_config.timm_name}")
    elif config.start:
        opened = _open_model(config.start)
        if opened:
            _start_from(model, opened, vocabulary)
        else:
            load_backbone(model.segmenter, config.start)
    recipe = {"segmenter": config.model_dump(mode="json")}
    return model, Header(model_config, vocabulary, trained=("segmenter",), recipe=recipe)


def _open_model(start: str) -> OpenedWeights | None:
    """The weights to start from. None: they are a backbone alone."""
    if start.startswith("timm:"):
        return None
    try:
        opened = open_weights(start)
    except ForeignWeightsError:
        return None
    require_file(opened)
    return opened


def _start_from(model: DSFlash, opened: OpenedWeights, vocabulary: Vocabulary) -> None:
    """Take over a trained segmenter, whatever its image size; where the classes differ, all but the
    class head.
    """
    header = opened.header
    state = opened.load().segmenter.state_dict()
    scale_positions(state, model.segmenter, "backbone.vit.pos_embed")
    expected = model.segmenter.state_dict()
    if header.vocabulary.classes != vocabulary.classes:
        state.update(
            {name: tensor for name, tensor in expected.items() if name.startswith("class_head.")}
        )
    wrong = [
        name for name in expected if name not in state or state[name].shape != expected[name].shape
    ]
    if wrong or len(state) > len(expected):
        raise WeightsError(
            f"{opened.name} cannot be the start: it is {header.config.size} {header.config.backbone} with "
            f"{header.config.num_queries} queries; set size, backbone and num_queries to the same"
        )
    model.segmenter.load_state_dict(state)
