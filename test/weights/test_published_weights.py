"""The hub id of somebody else's EoMT as weights, in the library and in the command.

For the node see test/ros/test_published_node.py. Each try is a process of its own.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hub_server import hub, hub_environment
from media_files import picture, write_image
from published_eomt import ID, published_files

from dsflash_ros.conversion.convert import convert
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.model.checkpoints import Header, save_checkpoint
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.pipeline.options import Options
from dsflash_ros.pipeline.pipeline import SceneGraphPipeline

pytestmark = pytest.mark.slow

pytest.importorskip("huggingface_hub")
OURS = "org/ours"
NOWHERE = "http://127.0.0.1:9"
"""A hub that does not answer."""
PATIENCE = 120
"""Seconds within which a process must be done, on a busy machine."""

# makes a pipeline of each of the weights, and says what it opened
_LIBRARY = """
import json, sys
import safetensors
from opened_files import OpenedFiles
files = OpenedFiles()
safetensors.safe_open = files.safe_open
from dsflash_ros import Options, SceneGraphPipeline
import numpy
folder, *all_weights = sys.argv[1:]
options = Options(mask_threshold=0.0, overlap_threshold=0.0)
for number, weights in enumerate(all_weights):
    files.__init__()
    pipeline = SceneGraphPipeline.from_weights(
        weights, device="cpu", precision="float32", options=options
    )
    graph = pipeline(numpy.load(f"{folder}/picture.npy"))
    numpy.save(f"{folder}/{number}.npy", graph.panoptic)
    print(json.dumps({"opened": files.opened, "headers": files.headers, "name": graph.weights}))
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return published_files(tmp_path_factory.mktemp("published"))


@pytest.fixture(scope="module")
def served(files, tmp_path_factory):
    config = ModelConfig(
        "tiny", image_size=64, num_queries=5, neck_dim=16, neck_depth=1, neck_heads=2
    )
    ours = tmp_path_factory.mktemp("ours") / "ours.safetensors"
    save_checkpoint(ours, DSFlash(config), Header(config, Vocabulary.psg()))
    with hub({ID: files, OURS: {"model.safetensors": ours.read_bytes()}}) as running:
        yield running


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def start(served, home):
    """Start Python with these arguments; the hub can be taken away."""

    def start(*arguments, url=served.url, home=home):
        environment = hub_environment(url, home)
        environment["PYTHONPATH"] = str(Path(__file__).parents[1])
        return subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.fixture(scope="module")
def library(start, tmp_path_factory):
    """What a process of the library opened for each of the weights, its segments, and stderr."""
    folder = tmp_path_factory.mktemp("library")
    np.save(folder / "picture.npy", picture(48, 64))

    def run(*weights, **where):
        done = start("-c", _LIBRARY, folder, *weights, **where)
        out, err = done.communicate(timeout=PATIENCE)
        assert done.returncode == 0, err
        opened = [json.loads(line) for line in out.splitlines()]
        return opened, [np.load(folder / f"{n}.npy") for n in range(len(weights))], err

    return run


@pytest.fixture(scope="module")
def first(library):
    """The first use of the ids, with the hub at hand."""
    return library(ID, OURS)


def converted_lines(text):
    return [line for line in text.splitlines() if "converted" in line]


def test_it_is_fetched_and_converted_and_said_so(first, home):
    (opened, _), _, err = first
    (conversion,) = (home / "dsflash_ros").glob("*.safetensors")
    (line,) = converted_lines(err)
    assert line.endswith(
        f"converted {ID} (transformers' eomt; small, 64 pixels, 133 classes) to {conversion}, "
        "which is used from now on; it has no trained relation stage"
    )
    assert opened["name"] == ID


def test_its_segments_are_those_of_a_conversion_by_hand(first, tmp_path, files):
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    conversion = convert(tmp_path)
    save_checkpoint(tmp_path / "ours.safetensors", conversion.model, conversion.header)
    options = Options(mask_threshold=0.0, overlap_threshold=0.0)
    pipeline = SceneGraphPipeline.from_weights(
        tmp_path / "ours.safetensors", device="cpu", options=options
    )
    graph = pipeline(picture(48, 64))
    assert graph.nodes and (graph.panoptic == first[1][0]).all()


def test_afterwards_neither_the_network_nor_a_conversion_is_needed(first, library, home):
    (opened,), (panoptic,), err = library(ID, url=NOWHERE)
    (conversion,) = (home / "dsflash_ros").glob("*.safetensors")
    assert opened["opened"] == opened["headers"] == {"model.safetensors": 1, conversion.name: 1}
    assert converted_lines(err) == [] and (panoptic == first[1][0]).all()


def test_the_command_knows_it_too(first, start, tmp_path):
    photo = write_image(tmp_path / "photo.png", picture(48, 64))
    arguments = ("run", photo, "--weights", ID, "--device", "cpu", "--out", tmp_path / "out")
    done = start("-m", "dsflash_ros.cli", *arguments, url=NOWHERE)
    _, err = done.communicate(timeout=PATIENCE)
    assert done.returncode == 0, err
    graph = json.loads((tmp_path / "out/scene_graph.jsonl").read_text())
    assert graph["weights"] == ID and graph["relations"] == []
    assert "no trained relation stage" in err and converted_lines(err) == []


def test_two_processes_at_once_convert_it_once(start, tmp_path):
    photo = write_image(tmp_path / "photo.png", picture(48, 64))
    arguments = ("-m", "dsflash_ros.cli", "run", photo, "--weights", ID, "--device", "cpu", "--out")
    both = [start(*arguments, tmp_path / name, home=tmp_path / "home") for name in "ab"]
    said = [process.communicate(timeout=PATIENCE)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert len(converted_lines("".join(said))) == 1
    kept = sorted(path.suffix for path in (tmp_path / "home/dsflash_ros").iterdir())
    assert kept == [".lock", ".safetensors"]
    graphs = [(tmp_path / name / "scene_graph.jsonl").read_text() for name in "ab"]
    assert json.loads(graphs[0])["nodes"] == json.loads(graphs[1])["nodes"]


def test_a_checkpoint_of_ours_is_opened_once_and_not_converted(first):
    (_, opened), _, err = first
    assert opened["opened"] == opened["headers"] == {"model.safetensors": 1}
    assert OURS not in "".join(converted_lines(err))
