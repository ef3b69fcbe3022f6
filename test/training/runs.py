"""A small data set and an untrained segmenter for it, and training runs as a user starts them."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from safetensors.torch import load_file

from dsflash_ros.data.shapes import VOCABULARY, write_shapes
from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.model.checkpoints import Header, save_checkpoint
from dsflash_ros.model.config import ModelConfig

CONFIG = ModelConfig.for_vocabulary(
    VOCABULARY,
    size="tiny",
    image_size=96,
    num_queries=10,
    neck_dim=32,
    neck_depth=2,
    neck_heads=2,
)
CELLS = (48, 2)
"""Cell and grid of the relation stage."""
NECK = ["neck_dim=32", "neck_depth=2", "neck_heads=2"]


def make_inputs(folder: Path, images: int = 8) -> None:
    """`folder/data` and `folder/segmenter.safetensors`."""
    write_shapes(folder / "data", images, seed=3, height=96, width=128)
    torch.manual_seed(0)
    save_checkpoint(
        folder / "segmenter.safetensors",
        DSFlash(CONFIG),
        Header(CONFIG, VOCABULARY, trained=("segmenter",)),
    )


def arguments(folder: Path, out: str, *more: str) -> list[str]:
    """Of a quick run of the relation stage in which all is deterministic."""
    given = [
        f"dataset={folder / 'data'}",
        f"segmenter={folder / 'segmenter.safetensors'}",
        f"out={folder / out}",
    ]
    quick = [
        "val_split=none",
        "augmentation=none",
        "workers=0",
        "batch_size=2",
        "lr=1e-3",
        "device=cpu",
    ]
    return ["train", "relations", "tiny", *given, *quick, *NECK, *more]


class Run(subprocess.Popen):
    """The command in a process of its own; what it prints goes to a file, where nothing waits for a
    reader.
    """

    def __init__(self, command: list[str], **options) -> None:
        self._output = tempfile.TemporaryFile("w+")  # noqa: SIM115 (it lives as long as the run)
        super().__init__(
            [sys.executable, "-m", "dsflash_ros.cli", *command],
            # As many threads as this process has: sums are split among them, and so are the last
            # bits of results.
            env={**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())},
            stdout=self._output,
            stderr=subprocess.STDOUT,
            **options,
        )

    def wait_for(self, condition, seconds: float = 120) -> None:
        """Until the condition holds; fails when the process ends before."""
        end = time.monotonic() + seconds
        while not condition():
            assert self.poll() is None, self.output()
            assert time.monotonic() < end, "it takes too long"
            time.sleep(0.05)

    def output(self, seconds: float = 120) -> str:
        """All that it printed, when it has ended by itself."""
        self.wait(seconds)
        self._output.seek(0)
        return self._output.read()


def weights_of(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint."""
    return load_file(path)


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    """Whether all tensors agree bit for bit."""
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
