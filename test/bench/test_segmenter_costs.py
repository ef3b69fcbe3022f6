"""`dsflash bench segmenter`."""

import json

import pytest

from dsflash_ros import cli
from dsflash_ros.bench.segmenter_costs import encoder_gflops, gflops, panoptic_quality
from dsflash_ros.data.psg import PsgDataset
from dsflash_ros.data.shapes import write_shapes
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.segmenters import make_segmenter
from dsflash_ros.pipeline.pipeline import SceneGraphPipeline

LITE = {"dim": 32, "encoder_ffn": 64, "decoder_ffn": 64, "decoder_layers": 2}


def segmenter(**settings):
    config = ModelConfig(
        segmenter="mask2former",
        backbone="lite0",
        image_size=128,
        num_queries=5,
        segmenter_settings={**LITE, **settings},
    )
    return make_segmenter(config).eval(), config


def test_layers_cost_what_the_counts_say():
    """What a layer more adds to the whole is what it adds to the encoder."""
    (a, small), (b, large) = segmenter(p1=1, p2=1, p3=1), segmenter(p1=1, p2=2, p3=3)
    whole = gflops(b, 128) - gflops(a, 128)
    encoder = encoder_gflops(b, large) - encoder_gflops(a, small)
    norms = 10 * 32 * (2 * (16 + 64 + 256) + 16 + 64) / 1e9
    assert whole == pytest.approx(encoder - norms, rel=1e-6)


def test_segmenters_side_by_side(tmp_path, capsys):
    out = tmp_path / "bench.json"
    weights = ["toyroom", "random-proscale-lite0"]
    command = ["bench", "segmenter", "--compare", *weights, "--repeat", "1", "--size", "64x48"]
    assert cli.main([*command, "--device", "cpu", "--json", str(out)]) == 0
    rows = json.loads(out.read_text())["rows"]
    assert [row["weights"] for row in rows] == weights
    assert [row["segmenter"] for row in rows] == ["eomt tiny", "mask2former (3, 3, 3) lite0"]
    assert rows[0]["encoder GFLOPs"] == "-" and float(rows[1]["encoder GFLOPs"]) > 0
    assert all(row["GFLOPs"] > 0 and row["median ms"] > 0 and row["PQ"] == "-" for row in rows)
    assert "mask2former (3, 3, 3) lite0" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        cli.main(["bench", "frame", "--compare", "random"])


def test_quality_is_of_weights_that_know_the_classes(tmp_path):
    write_shapes(tmp_path, 2, height=64, width=80)
    pipeline = SceneGraphPipeline.from_weights("toyroom", device="cpu", threads=1)
    assert panoptic_quality(pipeline, PsgDataset.open(tmp_path), 1) is None
