"""Rooms built by hand, settled by the physics and really rendered."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from no_torch import without_torch

from dsflash_ros.toyroom import VOCABULARY
from dsflash_ros.toyroom.build.scene import Camera, Item, Picture
from dsflash_ros.toyroom.physics.backend import INSTALL, choose_backend

BACKEND = choose_backend()  # before anything imports MuJoCo


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report(collector):
    """Refuse torch while pytest imports modules of tests."""
    with without_torch():
        yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    """Refuse torch in tests and their fixtures."""
    with without_torch():
        yield


@dataclass(frozen=True, eq=False)
class Shown:
    """A room as a camera sees it, and the truth about that."""

    items: list[Item]
    camera: Camera
    picture: Picture
    truth: object

    @property
    def names(self) -> list[str]:
        """Class names of the segments."""
        return [VOCABULARY.classes[class_id] for class_id in self.truth.class_ids]

    @property
    def said(self) -> set[tuple[str, str, str]]:
        """The relations in words."""
        predicates = VOCABULARY.predicates
        return {
            (self.names[a], predicates[p], self.names[b])
            for a, b, p in self.truth.relations.tolist()
        }

    def between(self, a: str, b: str) -> tuple[str | None, str | None]:
        """The predicates from a to b and from b to a; both must be in view."""
        assert {a, b} <= set(self.names), f"{a} and {b} must be in view, which are {self.names}"
        said = {(subject, thing): predicate for subject, predicate, thing in self.said}
        return said.get((a, b)), said.get((b, a))


@pytest.fixture(scope="session")
def need_renderer() -> None:
    """Skip where nothing can be rendered."""
    pytest.importorskip("mujoco")
    if not BACKEND:
        pytest.skip(f"nothing to render with: {INSTALL}")


@pytest.fixture
def show(need_renderer) -> Callable[..., Shown]:
    """`show(items, eye, target)` lets these items settle and takes a picture of them."""
    from dsflash_ros.toyroom.camera.rendering import Renderer
    from dsflash_ros.toyroom.physics.facts import facts_of
    from dsflash_ros.toyroom.physics.simulation import Simulation
    from dsflash_ros.toyroom.truth.image_truth import truth_of

    def look(items: list[Item], eye, target, width: int = 320, height: int = 240) -> Shown:
        simulation = Simulation(items)
        assert simulation.settle(), "the room of the test does not settle"
        camera = Camera.looking_at(np.asarray(eye, float), target, width=width, height=height)
        with Renderer(simulation, width, height) as renderer:
            picture = renderer.picture(camera)
        truth = truth_of(facts_of(simulation), picture, camera)
        return Shown(simulation.items, camera, picture, truth)

    return look
