"""The classes and predicates of toyroom, under the names that COCO panoptic and PSG have for them."""

from importlib import resources

from dsflash_ros.vocabulary import Vocabulary

VOCABULARY = Vocabulary.from_json(resources.files("dsflash_ros").joinpath("resources/toyroom.json").read_text())
"""18 things, 12 stuff classes and 16 predicates."""
