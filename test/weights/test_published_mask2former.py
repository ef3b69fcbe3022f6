"""The hub id of transformers' Mask2Former as weights: downloaded and converted once."""

import subprocess
import sys

from hub_server import hub, hub_environment
from reference_mask2former import SMALL, reference_mask2former

ID = "facebook/mask2former-swin-tiny-coco-panoptic"

_OPEN = f"""
from dsflash_ros.weights.loading import open_weights
opened = open_weights("{ID}")
print(opened.header.config.kind, opened.header.vocabulary.things[0], opened.path.name)
"""


def test_its_hub_id_works_as_weights(tmp_path):
    reference_mask2former(**SMALL).save_pretrained(tmp_path / "files")
    files = {path.name: path.read_bytes() for path in (tmp_path / "files").iterdir()}
    with hub({ID: files}) as running:
        said = [_open(running.url, tmp_path / "home") for _ in range(2)]
    assert said[0].stdout == said[1].stdout
    assert said[0].stdout.startswith("mask2former (0, 0, 6) with backbone swin_tiny person ")
    assert f"converted {ID} (transformers' mask2former; swin_tiny, 1024 pixels" in said[0].stderr
    assert "converted" not in said[1].stderr


def _open(url, home):
    environment = hub_environment(url, home)
    command = [sys.executable, "-c", _OPEN]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done
