import numpy as np
import pytest

from dsflash_ros.errors import ToyroomError

pytest.importorskip("mujoco", reason="needs the extra 'toyroom'")

from dsflash_ros.toyroom.camera import shots as views

pytestmark = pytest.mark.usefixtures("need_renderer")


def test_a_view_follows_from_seed_scene_and_number():
    (first, second), _ = views.render_views(11, 2, 2, 80, 60)
    (alone,), _ = views.render_views(11, 2, 1, 80, 60)
    (other,), _ = views.render_views(12, 2, 1, 80, 60)
    assert np.array_equal(first.frame.rgb, alone.frame.rgb) and np.array_equal(
        first.truth.labels, alone.truth.labels
    )
    assert not np.array_equal(first.camera.position, second.camera.position)
    assert not np.array_equal(first.frame.rgb, other.frame.rgb)
    assert all(len(view.truth.relations) for view in (first, second, other))


def test_a_view_of_nothing_that_is_related_is_left_out(monkeypatch):
    sample, calls = views.sample_camera, []

    def only_the_second(random, *others):
        calls.append(random.bit_generator)
        if len(calls) == 1:
            raise ToyroomError("there is no place in this room")
        return sample(random, *others)

    monkeypatch.setattr(views, "sample_camera", only_the_second)
    found, _ = views.render_views(11, 2, 2, 80, 60)
    monkeypatch.undo()
    (_, second), _ = views.render_views(11, 2, 2, 80, 60)
    assert [view.frame.rgb.tobytes() for view in found] == [second.frame.rgb.tobytes()]
