"""Rendering and torch in one process. These tests start processes, because failure kills them."""

import subprocess
import sys

RENDER = """
import sys
from dsflash_ros.toyroom.build.scene import Camera
from dsflash_ros.toyroom.camera.rendering import Renderer
from dsflash_ros.toyroom.physics.simulation import Simulation

camera = Camera.looking_at((1, 1, 1), (0, 0, 0), width=64, height=48)
with Renderer(Simulation([]), 64, 48) as renderer:
    renderer.picture(camera)
"""
USE_TORCH = """
import torch, torchvision
torch.nn.Linear(2, 2)(torch.ones(1, 2)).sum().backward()
print("alive")
"""


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, (done.returncode, done.stderr)
    return done.stdout


def test_torch_works_in_a_process_that_has_rendered(need_renderer):
    """torchvision loads Triton, which dies of a segmentation fault after the renderer's LLVM."""
    assert run(RENDER + USE_TORCH) == "alive\n"


def test_triton_stays_for_those_who_load_it_before_they_render(need_renderer):
    load = "try: import triton\nexcept ImportError: triton = None\n"
    check = "print(sys.modules.get('triton') is triton)\n"
    assert run(load + RENDER + check) == "True\n"
