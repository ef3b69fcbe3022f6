"""`dsflash weights calibrate` where it refuses; test/toyroom/test_shipped_model.py has the rest."""

import pytest

from dsflash_ros import cli
from dsflash_ros.data.shapes import VOCABULARY, write_shapes
from dsflash_ros.model.checkpoints import Header, save_checkpoint
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.random_weights import random_model


@pytest.fixture
def refused(tmp_path, capsys):
    """Calibrate weights with these trained stages; the error that the command ends with."""
    write_shapes(tmp_path / "shapes", 4, test_share=0.5, height=64, width=80)
    counts = {"num_things": 6, "num_stuff": 2, "num_predicates": 6}
    config = ModelConfig(
        "tiny", image_size=64, neck_dim=32, neck_depth=1, neck_heads=2, num_queries=20, **counts
    )

    def run(*trained, out="out.safetensors"):
        header = Header(config, VOCABULARY, trained=trained)
        save_checkpoint(tmp_path / "w.safetensors", random_model(header), header)
        arguments = [str(tmp_path / name) for name in ("w.safetensors", "shapes")]
        code = cli.main(
            ["weights", "calibrate", *arguments, "--device", "cpu", "--out", str(tmp_path / out)]
        )
        assert code == 1 and not (tmp_path / out).exists()
        return capsys.readouterr().err

    return run


def test_weights_that_find_nothing(refused):
    assert (
        "relations 0 are true: calibration needs true and false ones; use more images, or"
        in refused("segmenter", "relations")
    )


def test_weights_that_do_not_relate(refused):
    assert "has no trained relation stage, which is what is calibrated" in refused("segmenter")


def test_an_output_of_another_kind(refused):
    assert "give a name that ends in .safetensors" in refused(
        "segmenter", "relations", out="out.pth"
    )
