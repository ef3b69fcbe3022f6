"""A small synthetic data set in PSG's format, for trying and testing: shapes in a landscape.

    python -m dsflash_ros.data.shapes DIR --count 100 --test-share 0.2

Relations follow exactly from the geometry and depend on the direction, so that a model can learn
them; `shape_relations` defines them.
"""

from pathlib import Path

import numpy as np

from dsflash_ros.data.psg_writer import PsgWriter
from dsflash_ros.data.shapes.shape_scenes import VOCABULARY, ShapeScene, make_scene

__all__ = ["VOCABULARY", "ShapeScene", "make_scene", "write_shapes"]


def write_shapes(
    directory: str | Path,
    count: int,
    seed: int = 0,
    height: int = 240,
    width: int = 320,
    test_share: float = 0.0,
) -> None:
    """Write a data set; the same seed gives the same bytes.

    Args:
        directory: of `psg.json`, `images/` and `panoptic/`.
        count: images.
        seed: all chance follows from it.
        height, width: of each image, pixels.
        test_share: 0 to 1; the last images, as many as that, are the split "test".

    Raises:
        OutputError: something cannot be written.
    """
    first_test = count - round(count * test_share)
    with PsgWriter(directory, VOCABULARY) as writer:
        for index in range(count):
            scene = make_scene(np.random.default_rng((seed, index)), height, width)
            segments = scene.labels, scene.class_ids, scene.relations
            split = "train" if index < first_test else "test"
            writer.add(f"{index:06}", scene.rgb, *segments, split)
