"""Fails tests that import torch.

The tests of toyroom render, and a process that has rendered on a CPU cannot load Triton, which is a
part of torch. So what needs torch must run in a process of its own.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

SENTENCE = (
    "tests in test/toyroom must not import torch, because they render, and Triton, a part of "
    "torch, cannot be loaded after that: start what needs torch as a process of its own"
)


class TorchRefused:
    """A finder of modules that finds none, but fails whoever looks for torch."""

    def find_spec(self, name: str, path=None, target=None) -> None:
        if name == "torch":
            pytest.fail(SENTENCE, pytrace=False)


@contextmanager
def without_torch() -> Iterator[None]:
    """Fail whatever imports torch in this block, unless torch was imported before."""
    finder = TorchRefused()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
