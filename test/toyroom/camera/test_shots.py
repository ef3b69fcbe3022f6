import numpy as np
import pytest

pytest.importorskip("mujoco", reason="needs the extra 'toyroom'")

from dsflash_ros.errors import ToyroomError
from dsflash_ros.toyroom.camera import shots


@pytest.fixture(scope="module")
def pair(need_renderer):
    """Two shots of one room."""
    found, _ = shots.render_shots(11, 2, 2, 80, 60)
    return found


def test_a_shot_follows_from_seed_scene_and_number(pair):
    first, second = pair
    (alone,), _ = shots.render_shots(11, 2, 1, 80, 60)
    (other,), _ = shots.render_shots(12, 2, 1, 80, 60)
    assert np.array_equal(first.picture.rgb, alone.picture.rgb)
    assert np.array_equal(first.truth.labels, alone.truth.labels)
    assert not np.array_equal(first.camera.position, second.camera.position)
    assert not np.array_equal(first.picture.rgb, other.picture.rgb)
    assert all(len(shot.truth.relations) for shot in (first, second, other))


def test_a_shot_is_left_out_if_no_camera_sees_a_relation(pair, monkeypatch):
    sample, calls = shots.sample_camera, []

    def only_the_second(random, *others):
        calls.append(random.bit_generator)
        if len(calls) == 1:
            raise ToyroomError("there is no place in this room")
        return sample(random, *others)

    monkeypatch.setattr(shots, "sample_camera", only_the_second)
    found, _ = shots.render_shots(11, 2, 2, 80, 60)
    assert [shot.picture.rgb.tobytes() for shot in found] == [pair[1].picture.rgb.tobytes()]
