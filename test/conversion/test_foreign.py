import hashlib
import io
import json
import os
import pickle

import pytest
import torch
from safetensors.torch import save_file

from dsflash_ros.conversion.foreign import read_foreign
from dsflash_ros.errors import WeightsError

TENSORS = {"a": torch.arange(6.0), "b": torch.rand(300, 30)}


class Bomb:
    def __reduce__(self):
        return os.system, ("touch exploded",)


def equal(found, expected):
    return found.keys() == expected.keys() and all(
        torch.equal(found[name], expected[name]) for name in found
    )


@pytest.mark.parametrize("key", [None, "state_dict", "model"])
def test_pickles(tmp_path, key):
    torch.save({key: TENSORS, "epoch": 3} if key else TENSORS, tmp_path / "pytorch_model.bin")
    foreign = read_foreign(tmp_path)
    assert equal(foreign.tensors, TENSORS) and foreign.config == {}
    expected = hashlib.sha256((tmp_path / "pytorch_model.bin").read_bytes()).hexdigest()
    assert foreign.sha256 == {"pytorch_model.bin": expected}


def test_old_pickles(tmp_path):
    torch.save(TENSORS, tmp_path / "w.pth", _use_new_zipfile_serialization=False)
    assert equal(read_foreign(tmp_path / "w.pth").tensors, TENSORS)


@pytest.mark.parametrize("protocol", range(6))
def test_code_in_a_pickle_is_not_run(tmp_path, monkeypatch, recwarn, protocol):
    monkeypatch.chdir(tmp_path)
    torch.save({"a": torch.zeros(2), "optimizer": Bomb()}, "zip.bin")
    torch.save({"a": torch.zeros(2), "b": Bomb()}, "old.bin", _use_new_zipfile_serialization=False)
    for name in ("zip.bin", "old.bin"):
        with pytest.raises(
            WeightsError, match=r"holds Python objects besides tensors.*save its state dict alone"
        ):
            read_foreign(name)
    with pytest.raises(WeightsError):
        (tmp_path / "plain.bin").write_bytes(pickle.dumps(Bomb(), protocol))
        read_foreign("plain.bin")
    assert not (tmp_path / "exploded").exists() and not recwarn.list


@pytest.mark.parametrize("protocol", [4, 5])
def test_pickles_of_a_kind_that_is_not_read(tmp_path, recwarn, protocol):
    """Nothing is damaged, so that getting them again would not help."""
    says = r"is a pickle of a kind that is not read; save the state dict with torch.save\("
    path = tmp_path / "w.pth"
    for content in (Bomb(), {"a": Bomb()}, {"a": 3}):
        path.write_bytes(pickle.dumps(content, protocol))
        with pytest.raises(WeightsError, match=says):
            read_foreign(path)
    path.write_bytes(pickle.dumps({"a": 3}, 2))
    with pytest.raises(WeightsError, match=says):
        read_foreign(path)
    for zipped in (True, False):
        torch.save(TENSORS, path, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
        with pytest.raises(WeightsError, match=says):
            read_foreign(path)
    assert not recwarn.list


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.safetensors"])
@pytest.mark.parametrize("keep", [0, 7, 500, -40])
def test_half_a_file(tmp_path, name, keep):
    path = tmp_path / name
    torch.save(TENSORS, path) if path.suffix == ".bin" else save_file(TENSORS, path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(WeightsError, match="may be half downloaded, get it again"):
        read_foreign(path)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.safetensors"])
def test_noise(tmp_path, name):
    (tmp_path / name).write_bytes(b"<html>sign in</html>" * 50)
    with pytest.raises(WeightsError, match="is not a readable"):
        read_foreign(tmp_path)


@pytest.mark.parametrize(
    "content", [[torch.zeros(2)], {"a": 3}, {"a": {"b": torch.zeros(1)}}, {1: torch.zeros(2)}]
)
def test_no_state_dict(tmp_path, content):
    torch.save(content, tmp_path / "w.bin")
    with pytest.raises(WeightsError, match="holds no state dict"):
        read_foreign(tmp_path / "w.bin")


def test_shards(tmp_path):
    save_file({"a": TENSORS["a"]}, tmp_path / "model-1.safetensors")
    save_file({"b": TENSORS["b"]}, tmp_path / "model-2.safetensors")
    index = tmp_path / "model.safetensors.index.json"
    index.write_text('{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}')
    (tmp_path / "config.json").write_text('{"image_size": 320}')
    for path in (tmp_path, index):
        foreign = read_foreign(path)
        assert equal(foreign.tensors, TENSORS) and foreign.config == {"image_size": 320}
        assert sorted(foreign.sha256) == ["model-1.safetensors", "model-2.safetensors"]
    (tmp_path / "model-2.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"incomplete: .*model-2.safetensors' is missing"):
        read_foreign(tmp_path)
    index.write_text('{"weight_map": 3}')
    with pytest.raises(WeightsError, match="is no index of a sharded checkpoint"):
        read_foreign(tmp_path)
    index.write_text("{")
    with pytest.raises(WeightsError, match=r"cannot read .*index.json"):
        read_foreign(tmp_path)


@pytest.mark.parametrize("name", ["../w.safetensors", "/w.safetensors", "", ".", "..", "a/b", "\0"])
def test_shards_are_files_beside_their_index(tmp_path, name):
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(WeightsError, match="must be the name of a file beside it"):
        read_foreign(index)


def test_a_deeply_nested_index(tmp_path):
    (tmp_path / "model.safetensors.index.json").write_text("[" * 200_000)
    with pytest.raises(WeightsError, match=r"cannot read .*index.json': maximum recursion depth"):
        read_foreign(tmp_path)


def test_nothing_there(tmp_path):
    with pytest.raises(WeightsError, match=r"holds none of model.safetensors"):
        read_foreign(tmp_path)
    with pytest.raises(WeightsError, match="no weights at"):
        read_foreign(tmp_path / "none.bin")


def test_a_whole_module_in_a_pickle(tmp_path):
    buffer = io.BytesIO()
    torch.save(torch.nn.Linear(2, 2), buffer)
    (tmp_path / "module.pt").write_bytes(buffer.getvalue())
    with pytest.raises(WeightsError, match="holds Python objects besides tensors"):
        read_foreign(tmp_path / "module.pt")
