"""The relation stages that `relation_stages.py` compares, and how each is configured."""

import json
from importlib import resources

import yaml

from dsflash_ros.training.configuration import RelationConfig
from dsflash_ros.training.configuration_files import load_config

OBJECTS = {
    "boxes": [],
    "classes": ["class"],
    "classes, graph": ["class", "graph"],
    "pooled": ["pooled"],
    "pooled, contact": ["pooled", "contact"],
    "pooled, contact, graph": ["pooled", "contact", "graph"],
    "classes, pooled, contact": ["class", "pooled", "contact"],
    "objects": ["class", "pooled", "contact", "graph"],
    "objects and neck": ["class", "pooled", "contact", "graph", "neck"],
}
"""Parts of the kind "objects", by the name of the stage. The first three see no pixels."""

GRAPHS = {
    "rgt: none": ([], 0.0),
    "rgt: neighbours": (["neighbours"], 0.0),
    "rgt: + others": (["neighbours", "others"], 0.0),
    "rgt: + gcn": (["neighbours", "others", "gcn"], 0.0),
    "rgt: + pair loss": (["neighbours", "others", "gcn"], 0.6),
}
"""Parts and `pair_loss` of the kind "rgt", by the name of the stage: the steps of SPADE's Table 6.
"""

NECKS = {"paper's neck": 3, "neck, finer cells": 2}
"""Features along one side of a patch, by the name of the stage."""

STAGES = (*OBJECTS, *GRAPHS, *NECKS)
SLOW = ("objects and neck", *NECKS)
"""Trained once, not with several seeds."""

_SMALL_NECK = ["neck_dim=128", "neck_depth=3", "neck_heads=4", "pruning=random"]
_SMALL_NECK += ["negative_share=0.5", "pairs_at_once=64"]
"""What the configuration `toyroom_neck` has, for the kind "objects" with a neck; all pairs would
take days.
"""


def configured(name: str, given: list[str], more: list[str]) -> RelationConfig:
    """The training of a stage: the package's configuration with what is given, and with `more`,
    which counts where both say something.
    """
    kind = "toyroom_neck" if name in NECKS else "toyroom"
    if name in NECKS:
        settings, given = {"patch": NECKS[name]}, list(given)
    elif name in GRAPHS:
        parts, pair_loss = GRAPHS[name]
        settings = {**_of_toyroom(), "parts": parts, "pair_loss": pair_loss}
        given = [*given, "relater=rgt"]
    else:
        settings = {**_of_toyroom(), "parts": OBJECTS[name]}
        given = [*given, *(_SMALL_NECK if "neck" in OBJECTS[name] else [])]
    given.append(f"relater_settings={json.dumps(settings)}")
    return load_config(RelationConfig, kind, [*given, *more], "relations")


def slug(name: str) -> str:
    """The name of a stage as that of a file."""
    for before, after in ((": + ", "+"), (": ", "-"), (", ", "-"), (" ", "_")):
        name = name.replace(before, after)
    return name


def _of_toyroom() -> dict:
    """The settings of the relation stage in the configuration `toyroom`."""
    path = resources.files("dsflash_ros") / "resources/train/relations/toyroom.yaml"
    return yaml.safe_load(path.read_text()).get("relater_settings", {})
