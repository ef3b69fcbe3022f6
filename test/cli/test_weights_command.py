"""`dsflash weights` as a user calls it, in this process."""

import json
import os
import sys

import pytest
import torch
from original_eomt import OriginalEoMT, differences, dinov3
from safetensors.torch import save_file

from dsflash_ros import cli
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.model.checkpoints import load_checkpoint, read_header


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Checkpoints of other code bases."""
    folder = tmp_path_factory.mktemp("foreign")
    torch.save(
        OriginalEoMT("small", "dinov2", 64, queries=5).state_dict(), folder / "pytorch_model.bin"
    )
    eomt, base = OriginalEoMT("small", "dinov3", 64, queries=5, classes=3), dinov3("small")
    torch.save(differences(eomt, base), folder / "delta.bin")
    base.save_pretrained(folder / "dinov3")
    dsformer = {
        "transformer_blocks.0.norm1.weight": torch.zeros(8),
        "classification_token": torch.zeros(8),
    }
    torch.save({"model": dsformer}, folder / "last_state.pth")
    vocabulary = Vocabulary(("cup", "dog"), ("floor",), ("on", "under"))
    (folder / "names.json").write_text(vocabulary.to_json())
    return folder


@pytest.fixture
def dsflash(capsys):
    """Run the command; its exit code, stdout and stderr."""

    def run(*arguments):
        code = cli.main(["weights", *map(str, arguments)])
        return code, *capsys.readouterr()

    return run


def info(dsflash, path):
    code, out, err = dsflash("info", path, "--json")
    assert code == 0, err
    return json.loads(out)


def test_convert_then_info(tmp_path, folder, dsflash):
    out_path = tmp_path / "ours.safetensors"
    code, out, err = dsflash(
        "convert", folder / "pytorch_model.bin", "--out", out_path, "--image-size", 96
    )
    assert (code, err) == (0, "")
    for line in (
        "layout: original EoMT, DINOv2",
        "model: small, backbone dinov2, 96 x 96 pixels, 5 queries",
        "classes: 133 (80 things, 53 stuff)",
        "positions: interpolated from 4x4 to 6x6 patches",
        f"written: {out_path}",
        "its relation stage is untrained; train it next: dsflash train relations",
    ):
        assert line in out
    model, header = load_checkpoint(out_path)
    about = info(dsflash, out_path)
    assert about["parameters"] == sum(tensor.numel() for tensor in model.state_dict().values())
    assert about["trained"] == ["segmenter"] and about["recipe"] == header.recipe
    assert about["vocabulary"] == {"things": 80, "stuff": 53, "predicates": 56}
    assert (about["size"], about["backbone"], about["image_size"]) == ("small", "dinov2", 96)
    assert about["bytes"] == out_path.stat().st_size
    assert len(about["sha256"]["ours.safetensors"]) == 64
    code, out, _ = dsflash("info", out_path)
    assert code == 0 and "trained  segmenter\n" in out
    assert "things 80, stuff 53, predicates 56" in out
    assert f"pytorch_model.bin={header.recipe['sha256']['pytorch_model.bin']}\n" in out


def test_differences_with_names_of_ones_own(tmp_path, folder, dsflash):
    out_path = tmp_path / "ours.safetensors"
    code, out, err = dsflash(
        *("convert", folder / "delta.bin", "--base", folder / "dinov3"),
        *("--vocabulary", folder / "names.json", "--out", out_path),
    )
    assert (code, err) == (0, "") and "base: transformers' DINOv3, added to the" in out
    assert "note: the file does not say its image size, 640 is taken" in out
    assert read_header(out_path).vocabulary.things == ("cup", "dog")


def test_names_of_a_data_set_and_a_home(tmp_path, folder, dsflash, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    names = {
        "thing_classes": ["cup", "dog"],
        "stuff_classes": ["floor"],
        "predicate_classes": ["on"],
        "data": [],
    }
    (tmp_path / "psg.json").write_text(json.dumps(names))
    code, _, err = dsflash(
        *("convert", folder / "delta.bin", "--base", folder / "dinov3"),
        *("--vocabulary", tmp_path / "psg.json", "--out", "~/ours.safetensors"),
    )
    assert (code, err) == (0, "")
    assert read_header(tmp_path / "ours.safetensors").vocabulary == Vocabulary(
        ("cup", "dog"), ("floor",), ("on",)
    )


def test_info_of_what_can_be_converted(folder, dsflash):
    path = folder / "pytorch_model.bin"
    about = info(dsflash, path)
    assert about["layout"] == "original EoMT, DINOv2" and about["image_size"] == 64
    assert about["convert"] == f"dsflash weights convert {path} --out NEW.safetensors"
    about = info(dsflash, folder / "delta.bin")
    assert about["differences"] == "to the weights of DINOv3" and about["image_size"] is None
    assert about["convert"].endswith("--image-size N --base DINOV3 --vocabulary NAMES.json")
    about = info(dsflash, folder / "last_state.pth")
    assert about["layout"] == "DSFormer (fair-psgg)"
    assert about["convert"].endswith("--into OURS.safetensors")


def test_an_output_that_is_there_stays(tmp_path, folder, dsflash):
    out_path = tmp_path / "ours.safetensors"
    out_path.write_text("precious")
    good = ("convert", folder / "pytorch_model.bin", "--out", out_path)
    code, _, err = dsflash(*good)
    assert code == 1 and "is there already; give --overwrite" in err
    assert out_path.read_text() == "precious"
    bad = ("convert", folder / "last_state.pth", "--out", out_path, "--overwrite")
    assert dsflash(*bad)[0] == 1 and out_path.read_text() == "precious"
    assert dsflash(*good, "--overwrite")[0] == 0
    assert os.listdir(tmp_path) == ["ours.safetensors"]


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("convert {folder}/none.bin --out {tmp}/a.safetensors", "no weights at"),
        ("convert {folder}/pytorch_model.bin --out {tmp}", "is a folder; give a file name"),
        (
            "convert {folder}/pytorch_model.bin --out {tmp}/x/a.safetensors",
            "does not exist; make it first",
        ),
        (
            "convert {folder}/pytorch_model.bin --out {tmp}/a.pth",
            "a name that ends in .safetensors",
        ),
        ("convert ~nouser/x.bin --out {tmp}/a.safetensors", "no weights at '~nouser/x.bin'"),
        ("info ~nouser/x", "no weights at '~nouser/x'"),
        ("fetch org/model --sha256 xyz", "'xyz' is no SHA-256, which is 64 hexadecimal digits"),
        ("fetch org/model --sha256=", "'' is no SHA-256"),
        (
            "convert {folder}/delta.bin --out {tmp}/a.safetensors",
            "differences to DINOv3's weights",
        ),
        (
            "convert {folder}/last_state.pth --out {tmp}/a.safetensors --into b --image-size 64",
            "--into keeps sizes and names",
        ),
        (
            "convert {folder}/pytorch_model.bin --out {tmp}/a.safetensors --into {folder}/dinov3",
            "is no DSFormer",
        ),
        ("info {folder}/names.json", "is not a readable PyTorch file"),
        ("info {folder}/dinov3", "is neither a checkpoint of dsflash_ros nor"),
        ("pack random --out {tmp}/a.safetensors", "random means untrained weights"),
    ],
)
def test_mistakes(tmp_path, folder, dsflash, command, says):
    code, out, err = dsflash(*command.format(folder=folder, tmp=tmp_path).split())
    assert code == 1 and out == ""
    assert err.startswith("dsflash weights: ") and says in err and err.count("\n") == 1
    assert os.listdir(tmp_path) == []


def test_damaged_files(tmp_path, dsflash):
    save_file({"a": torch.zeros(3)}, tmp_path / "a.safetensors")
    whole = (tmp_path / "a.safetensors").read_bytes()
    (tmp_path / "half.safetensors").write_bytes(whole[:-4])
    code, _, err = dsflash("info", tmp_path / "half.safetensors")
    assert code == 1 and "may be half downloaded, get it again" in err


def test_without_huggingface_hub(monkeypatch, dsflash):
    for name in [name for name in sys.modules if name.split(".")[0] == "huggingface_hub"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    code, _, err = dsflash("fetch", "org/model")
    assert code == 1 and "downloading needs huggingface_hub, which is not installed" in err
