"""Weights of a tiny random model that speaks of shapes."""

from pathlib import Path

from dsflash_ros.data.shapes import VOCABULARY
from dsflash_ros.model.checkpoints import Header, save_checkpoint
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.random_weights import random_model

CONFIG = ModelConfig(
    "tiny",
    image_size=64,
    neck_dim=32,
    neck_depth=1,
    neck_heads=2,
    num_queries=20,
    num_things=6,
    num_stuff=2,
    num_predicates=6,
)


def write_weights(folder: Path) -> None:
    """Write whole.safetensors, and segmenter.safetensors, which cannot relate."""
    header = Header(CONFIG, VOCABULARY)
    model = random_model(header)
    save_checkpoint(folder / "whole.safetensors", model, header)
    segmenter = Header(CONFIG, VOCABULARY, trained=("segmenter",))
    save_checkpoint(folder / "segmenter.safetensors", model, segmenter)
