"""`dsflash weights pack` as a user calls it, in this process."""

import json
import os

import pytest
import torch
from safetensors.torch import load_file

from dsflash_ros import cli
from dsflash_ros.conversion.checkpoint_files import sha256_of
from dsflash_ros.evaluation.report import Report
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.model.checkpoints import Header, load_checkpoint, read_header, save_checkpoint
from dsflash_ros.model.config import ModelConfig

NAMES = Vocabulary(("cup", "dog"), ("floor",), ("on", "under"))
CONFIG = ModelConfig(
    "tiny", "", 64, 2, 1, 2, num_queries=5, neck_dim=16, neck_depth=1, neck_heads=2
)


@pytest.fixture
def source(tmp_path):
    torch.manual_seed(4)
    header = Header(CONFIG, NAMES, recipe={"relations": {"lr": 1e-3}}, scores={"val/mR@50": 0.25})
    save_checkpoint(tmp_path / "best.safetensors", DSFlash(CONFIG), header)
    return tmp_path / "best.safetensors"


@pytest.fixture
def pack(tmp_path, capsys):
    """Run the command; its exit code, stdout and stderr."""

    def run(source, *arguments):
        out = str(tmp_path / "packed.safetensors")
        code = cli.main(["weights", "pack", str(source), "--out", out, *arguments])
        return code, *capsys.readouterr()

    return run


def write_report(path, sha256, protocol="sgdet", score=0.5):
    """As `dsflash eval --json` writes it."""
    relations = {f"{m}R@{k}": score for m in ("", "m") for k in (20, 50, 100)} | {"mR@inf": 0.75}
    groups = ("", "_things", "_stuff")
    means = {f"{name}{group}": score for name in ("PQ", "SQ", "RQ") for group in groups}
    Report(
        dataset={
            "name": "toy/psg.json",
            "split": "test",
            "images": 9,
            "of": 9,
            "vocabulary": "other",
            "problems": {},
        },
        protocol=protocol,
        weights={
            "name": "best.safetensors",
            "sha256": sha256,
            "trained": ["segmenter", "relations"],
        },
        model={"size": "tiny", "backbone": "plain", "image_size": 64, "parameters": 1},
        options={"device": "cpu", "precision": "float32"},
        machine={"cpu": "a CPU", "cores": 2, "gpu": "none"},
        relations={**relations, "images": 9, "images_without_relations": 0, "per_predicate": {}},
        panoptic={**means, "per_class": {}} if protocol == "sgdet" else None,
        speed=None,
    ).write(path)
    return str(path)


def test_paths_of_the_machine_stay_behind(source, pack, tmp_path):
    model, _ = load_checkpoint(source)
    settings = {"start": "timm:deit", "lr": 0.1, "annealing": [[0, 1]]}
    recipe = {"segmenter": settings | {"dataset": "/home/me/rooms"}}
    save_checkpoint(source, model, Header(CONFIG, NAMES, recipe=recipe))
    assert pack(source)[0] == 0
    kept = read_header(tmp_path / "packed.safetensors").recipe
    assert kept == {"segmenter": settings | {"dataset": "rooms"}}


def test_numbers_are_rounded_to_half_precision_and_loaded_in_single(source, pack, tmp_path):
    code, out, err = pack(source)
    path = tmp_path / "packed.safetensors"
    assert (code, err) == (0, "")
    assert out == f"written: {path} ({path.stat().st_size / 1e6:.1f} MB)\n"
    assert {tensor.dtype for tensor in load_file(path).values()} == {torch.float16}
    assert path.stat().st_size < 0.6 * source.stat().st_size
    (model, header), (original, before) = load_checkpoint(path), load_checkpoint(source)
    found, expected = model.state_dict(), original.state_dict()
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert found[name].dtype == torch.float32, name
        assert torch.equal(found[name], tensor.half().float()), name
    assert header == before
    assert pack(path, "--overwrite")[0] == 0, "in place"
    assert all(torch.equal(tensor, found[name].half()) for name, tensor in load_file(path).items())


def test_scores_of_each_protocol(source, pack, tmp_path):
    sha256 = sha256_of(source)
    sgdet = write_report(tmp_path / "sgdet.json", sha256)
    predcls = write_report(tmp_path / "predcls.json", sha256, "predcls", score=0.875)
    assert pack(source, "--scores", sgdet, "--scores", predcls)[0] == 0
    header = read_header(tmp_path / "packed.safetensors")
    assert set(header.scores) == {"sgdet", "predcls"}
    assert header.scores["predcls"] == {
        "dataset": "toy/psg.json, split test: 9 images",
        **dict.fromkeys(("R@20", "R@50", "R@100", "mR@20", "mR@50", "mR@100"), 0.875),
        "mR@inf": 0.75,
    }
    panoptic = {key: value for key, value in header.scores["sgdet"].items() if key.startswith("PQ")}
    assert panoptic == {"PQ": 0.5, "PQ_things": 0.5, "PQ_stuff": 0.5}
    assert header.recipe == {"relations": {"lr": 1e-3}}


def test_mistakes(source, pack, tmp_path):
    def refused(says, *arguments, of=source):
        code, out, err = pack(of, *arguments)
        assert code == 1 and out == "" and says in err and err.count("\n") == 1
        assert "packed.safetensors" not in os.listdir(tmp_path)

    other = write_report(tmp_path / "other.json", "0" * 64)
    refused("the scores are those of other weights (best.safetensors)", "--scores", other)
    mine = write_report(tmp_path / "mine.json", sha256_of(source))
    refused("two results of sgdet", "--scores", mine, "--scores", mine)
    (tmp_path / "no.json").write_text(json.dumps({"a": 1}))
    refused("is not a result of `dsflash eval --json`", "--scores", str(tmp_path / "no.json"))
    refused("no weights at", of=tmp_path / "none.safetensors")
    model, header = load_checkpoint(source)
    model.segmenter.q.weight.data[0, 0] = 7e4
    save_checkpoint(tmp_path / "large.safetensors", model, header)
    refused("segmenter.q.weight has numbers beyond 65504", of=tmp_path / "large.safetensors")
    model.segmenter.q.weight.data[0, 0] = torch.nan
    save_checkpoint(tmp_path / "nan.safetensors", model, header)
    refused("segmenter.q.weight has a value that is not a number", of=tmp_path / "nan.safetensors")
