"""From a Mask2Former of another code base to one of ours."""

from collections.abc import Mapping
from dataclasses import replace

import torch

from dsflash_ros.conversion.class_names import choose_vocabulary, class_names, reorder_classes
from dsflash_ros.conversion.config_fields import check_fields
from dsflash_ros.conversion.foreign import ForeignCheckpoint
from dsflash_ros.conversion.layouts import Layout, rename
from dsflash_ros.conversion.mask2former_layouts import numbered
from dsflash_ros.conversion.mask2former_sizes import config_of_mask2former
from dsflash_ros.conversion.outcome import Conversion, untrained_around
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.model.checkpoints import Header
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.segmenters.mask2former.mask2former import make_mask2former
from dsflash_ros.model.segmenters.mask2former.mask2former_settings import (
    HEADS,
    Mask2FormerSettings,
)

_COUNTERS = "num_batches_tracked"
"""Of batch normalisation: others do not count, and nothing here needs it."""

_FIXED = {
    "num_attention_heads": HEADS,
    "pre_norm": False,
    "activation_function": "relu",
    "backbone_config.hidden_act": "gelu",
    "backbone_config.layer_norm_eps": 1e-5,
}
"""What the code here takes for granted, of transformers' config.json; its defaults are the same."""


def convert_mask2former(
    foreign: ForeignCheckpoint,
    layout: Layout,
    image_size: int | None,
    vocabulary: Vocabulary | None,
) -> Conversion:
    """Our model of the tensors, with an untrained relation stage; see `convert`."""
    check_fields(foreign.config, _FIXED, {})
    tensors = renamed_queries(foreign.tensors)
    own = config_of_mask2former(layout, tensors, image_size or foreign.image_size)
    names = class_names(foreign.config)
    vocabulary = choose_vocabulary(vocabulary, names, own.num_classes)
    config = replace(
        own,
        num_things=len(vocabulary.things),
        num_stuff=len(vocabulary.stuff),
        num_predicates=len(vocabulary.predicates),
    )
    state = _state(layout, tensors, config)
    remarks = reorder_classes(state, "decoder.class_head", names, vocabulary)
    recipe = {"source": foreign.path.name, "layout": layout.name, "sha256": foreign.sha256}
    return Conversion(
        untrained_around(config, state),
        Header(config, vocabulary, recipe=recipe, trained=("segmenter",)),
        [*_summary(foreign, layout, config), *remarks],
    )


def renamed_queries(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Older checkpoints of detectron2 call the queries so."""
    return {name.replace("static_query", "query_feat"): tensors[name] for name in tensors}


def _state(
    layout: Layout, tensors: Mapping[str, torch.Tensor], config: ModelConfig
) -> dict[str, torch.Tensor]:
    """Our state dict; each tensor is accounted for."""
    layers = Mask2FormerSettings.from_dict(config.segmenter_settings).layers
    with torch.device("meta"):
        expected = make_mask2former(config).state_dict()
    theirs = {
        numbered(name, layers): like
        for name, like in expected.items()
        if not name.endswith(_COUNTERS)
    }
    found = rename(layout, tensors, theirs, f"a {config.kind}")
    return {
        name: torch.zeros((), dtype=torch.long)
        if name.endswith(_COUNTERS)
        else found[numbered(name, layers)]
        for name in expected
    }


def _summary(foreign: ForeignCheckpoint, layout: Layout, config: ModelConfig) -> list[str]:
    no_weights = sum(layout.is_other(name) for name in foreign.tensors)
    return [
        f"layout: {layout.name}",
        f"model: {config.kind}, {config.image_size} x {config.image_size} pixels, "
        f"{config.num_queries} queries",
        f"classes: {config.num_classes} ({config.num_things} things, {config.num_stuff} stuff)",
        f"tensors: {len(foreign.tensors)}, of which {no_weights} are no weights "
        "(tables of positions, training's loss)",
    ]
