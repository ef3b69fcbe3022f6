import pytest
import torch
from torch import nn

from dsflash_ros.bench.floor import Floor, flops_of, measure_floor, weight_bytes
from dsflash_ros.bench.scaling import BATCHES, CAMERAS, SEGMENTS, SIZES, draw, measure
from dsflash_ros.cli import main
from dsflash_ros.errors import DeviceError
from dsflash_ros.pipeline.pipeline import SceneGraphPipeline


def test_operations_are_two_for_each_multiply_add():
    layer = nn.Linear(30, 20, bias=False)
    assert flops_of(layer, torch.zeros(7, 30)) == 2 * 7 * 30 * 20
    assert weight_bytes(layer) == 4 * 30 * 20
    assert weight_bytes(layer.to(torch.bfloat16)) == 2 * 30 * 20


def test_a_floor_is_what_takes_longer():
    floor = Floor(flops=1e9, bytes=1e8)
    assert floor.ms(2e6, 1e4) == 2.0 and floor.ms(1e4, 1e6) == 10.0
    measured = measure_floor(torch.device("cpu"), torch.float32)
    assert 1e9 < measured.flops < 1e15 and 1e8 < measured.bytes < 1e13


@pytest.mark.slow
def test_all_sweeps(tmp_path):
    threads = torch.get_num_threads()
    pipeline = SceneGraphPipeline.from_weights("toyroom", device="cpu", precision="float32")
    rows = measure(pipeline, 2)
    found = {row["sweep"]: [r["value"] for r in rows if r["sweep"] == row["sweep"]] for row in rows}
    sizes = [f"{width}x{height}" for width, height in SIZES]
    assert found["segments"] == list(SEGMENTS) and found["batch"] == list(BATCHES)
    assert found["size"] == sizes and found["cameras"] == list(CAMERAS)
    assert found["threads"][0] == 1
    floors = [float(row["floor ms"]) for row in rows if row["sweep"] == "segments"]
    assert floors == sorted(floors)
    for row in rows[: len(SEGMENTS) + len(BATCHES)]:
        # The floor was measured in other seconds, in which the machine may have been busier.
        assert 4 * row["median ms"] > float(row["floor ms"]) > 0, row
    assert (torch.get_num_threads(), pipeline.for_trackers) == (threads, False)
    draw(rows, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_what_it_does_not_take(capsys):
    for arguments, sentence in (
        (["scaling", "photo.jpg"], "scaling makes its own images and takes no source"),
        (["frame", "--plot", "x.png"], "--plot is for scaling, not for frame"),
    ):
        with pytest.raises(SystemExit):
            main(["bench", *arguments])
        assert sentence in capsys.readouterr().err


def test_an_exported_model_hides_what_is_measured():
    class Exported:
        class backend:
            name = "openvino"

    with pytest.raises(DeviceError, match="the backend openvino hides: give a checkpoint"):
        measure(Exported, 1)
