import pytest
import torch

from dsflash_ros.errors import DeviceError
from dsflash_ros.pipeline.device import choose_device, choose_precision


def test_auto_takes_a_gpu_only_where_there_is_one():
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert choose_precision("auto", torch.device("cpu")) == torch.float32


@pytest.mark.parametrize("name", ["gpu", "", "cuda:x", "mps", "meta"])
def test_unknown_devices(name):
    with pytest.raises(DeviceError, match="it must be auto, cpu, cuda or cuda:N"):
        choose_device(name)


def test_a_gpu_that_is_not_there():
    name = f"cuda:{torch.cuda.device_count()}"
    with pytest.raises(DeviceError, match=r"PyTorch finds .*; use 'auto' or 'cpu'"):
        choose_device(name)


@pytest.mark.parametrize(
    ("capability", "precision"),
    [
        ((9, 0), torch.bfloat16),
        ((8, 0), torch.bfloat16),
        ((7, 5), torch.float16),
        ((6, 1), torch.float32),
    ],
)
def test_precision_suits_the_gpu(monkeypatch, capability, precision):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert choose_precision("auto", torch.device("cuda")) == precision


def test_unknown_precision():
    with pytest.raises(
        DeviceError, match="unknown precision 'int8'; it must be auto, float32, bfloat16, float16"
    ):
        choose_precision("int8", torch.device("cpu"))
