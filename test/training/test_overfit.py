import json
from dataclasses import replace

import pytest

pytest.importorskip("lightning")

import torch
from runs import CONFIG

from dsflash_ros import cli
from dsflash_ros.data.shapes import VOCABULARY, write_shapes
from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.model.checkpoints import Header, save_checkpoint


@pytest.mark.slow
def test_sixteen_images_are_learned_by_heart(tmp_path, capsys):
    """A whole run as a user starts it, then `dsflash eval`: PredCls R@20 above 95 % (no image has
    more than 20).
    """
    write_shapes(tmp_path / "data", 16)
    config = replace(CONFIG, image_size=192)
    torch.manual_seed(0)
    untrained = DSFlash(config)
    save_checkpoint(
        tmp_path / "segmenter.safetensors",
        untrained,
        Header(config, VOCABULARY, trained=("segmenter",)),
    )
    given = [
        f"dataset={tmp_path / 'data'}",
        f"segmenter={tmp_path / 'segmenter.safetensors'}",
        f"out={tmp_path / 'run'}",
    ]
    size = ["neck_dim=96", "neck_depth=2", "neck_heads=4"]
    steps = ["epochs=100", "batch_size=2", "lr=3e-3", "pairs_at_once=64"]
    recipe = [*steps, "consistency_weight=0.001", "augmentation=none"]
    machine = ["val_split=none", "workers=0", "device=cpu", f"feature_cache={tmp_path / 'cache'}"]
    assert cli.main(["train", "relations", "tiny", *given, *size, *recipe, *machine]) == 0

    scores = tmp_path / "scores.json"
    weights = str(tmp_path / "run" / "best.safetensors")
    command = [
        "eval",
        str(tmp_path / "data"),
        "--weights",
        weights,
        "--split",
        "train",
        "--protocol",
        "predcls",
    ]
    assert cli.main([*command, "--device", "cpu", "--json", str(scores)]) == 0
    assert json.loads(scores.read_text())["relations"]["R@20"] > 0.95, capsys.readouterr().out
