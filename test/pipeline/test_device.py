import pytest
import torch

from dsflash_ros import machine
from dsflash_ros.errors import DeviceError
from dsflash_ros.pipeline import device
from dsflash_ros.pipeline.device import PRECISIONS, choose_device, choose_precision, use_threads
from dsflash_ros.pipeline.options import MODEL_OPTIONS


def test_auto_takes_a_gpu_only_where_there_is_one():
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


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


@pytest.mark.parametrize(
    ("told", "precision"),
    [
        ("model name : EPYC\nflags\t\t: fpu avx512f avx512_bf16\n", torch.bfloat16),
        ("flags\t\t: fpu amx_bf16 amx_tile\n", torch.bfloat16),
        ("Features\t: fp asimd bf16 i8mm\n", torch.bfloat16),
        ("flags\t\t: fpu avx2\nflags\t\t: fpu avx2\n", torch.float32),
        ("", torch.float32),
    ],
)
def test_precision_suits_the_processor(monkeypatch, tmp_path, told, precision):
    (tmp_path / "cpuinfo").write_text(told)
    monkeypatch.setattr(machine, "_CPU_INFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(machine, "_BFLOAT16_FLAGS", {"avx512_bf16", "amx_bf16", "bf16"})
    assert choose_precision("auto", torch.device("cpu")) == precision


def test_precision_where_linux_says_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "_CPU_INFO", tmp_path / "nothing")
    assert choose_precision("auto", torch.device("cpu")) == torch.float32


def test_unknown_precision():
    with pytest.raises(
        DeviceError, match="unknown precision 'int8'; it must be auto, float32, bfloat16, float16"
    ):
        choose_precision("int8", torch.device("cpu"))


def test_the_table_of_options_names_the_precisions():
    (option,) = (option for option in MODEL_OPTIONS if option.name == "precision")
    assert option.choices == ("auto", *PRECISIONS)


@pytest.fixture
def cores(monkeypatch):
    """Sets how many cores the process may use; PyTorch has 3 threads at first."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    for name in ("_before", "_set"):  # of earlier tests
        monkeypatch.setattr(device, name, 0)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield lambda count: monkeypatch.setattr(device, "usable_cores", lambda: count)
    torch.set_num_threads(before)


def test_threads_are_as_many_as_the_process_may_use(cores):
    for usable, expected in ((2, 2), (8, 3), (1, 1), (3, 3)):
        cores(usable)
        use_threads(0)
        assert torch.get_num_threads() == expected


def test_threads_that_were_asked_for(cores):
    cores(2)
    use_threads(4)
    assert torch.get_num_threads() == 4
    use_threads(0)  # which forgets them
    assert torch.get_num_threads() == 2


def test_threads_that_the_user_set_are_not_exceeded(cores, monkeypatch):
    cores(2)
    torch.set_num_threads(1)
    use_threads(0)
    assert torch.get_num_threads() == 1


def test_threads_that_the_environment_sets_stay(cores, monkeypatch):
    cores(2)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    use_threads(0)
    assert torch.get_num_threads() == 3
    use_threads(1)
    assert torch.get_num_threads() == 1
