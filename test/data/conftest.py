import json

import numpy as np
import pytest

from dsflash_ros.data.psg import PsgDataset, PsgWriter
from dsflash_ros.data.shapes import write_shapes
from dsflash_ros.graph.vocabulary import Vocabulary

VOCABULARY = Vocabulary(things=("cup", "dog"), stuff=("sky",), predicates=("on", "beside"))


@pytest.fixture(scope="session")
def shapes(tmp_path_factory):
    """Six images of 72x96, to be read only."""
    folder = tmp_path_factory.mktemp("shapes")
    write_shapes(folder, 6, seed=3, height=72, width=96, test_share=0.5)
    return PsgDataset.open(folder)


@pytest.fixture
def folder(tmp_path):
    """A data set to be damaged: images 1, 2 (train) and 3 (test) of 20x30 with three segments."""
    random = np.random.default_rng(0)
    with PsgWriter(tmp_path, VOCABULARY, "png") as writer:
        for image_id, split in (("1", "train"), ("2", "train"), ("3", "test")):
            rgb = random.integers(0, 256, (20, 30, 3), np.uint8)
            labels = random.integers(-1, 3, (20, 30))
            writer.add(image_id, rgb, labels, [0, 1, 2], [(0, 2, 0), (1, 0, 1)], split)
    return tmp_path


@pytest.fixture
def edit(folder):
    """Change the JSON of `folder`: edit(lambda content: ...)."""

    def apply(change):
        path = folder / "psg.json"
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    return apply
