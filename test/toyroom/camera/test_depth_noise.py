"""Depth as a depth camera measures it."""

import numpy as np
import pytest

from dsflash_ros.toyroom.camera.depth_noise import FARTHEST_M, measured_depth


def measured(depth, seed=3):
    return measured_depth(np.asarray(depth, np.float32), np.random.default_rng(seed))


@pytest.mark.parametrize(("metres", "deviation"), [(1.0, 0.0025), (2.0, 0.01), (4.0, 0.04)])
def test_noise_grows_with_the_square_of_the_distance(metres, deviation):
    found = measured(np.full((240, 320), metres))
    holes = (found == 0).mean()
    assert 0.03 < holes < 0.1
    errors = found[found > 0] - metres
    assert errors.std() == pytest.approx(deviation, rel=0.03)
    assert abs(errors.mean()) < deviation / 50


def test_edges_mix_front_and_back():
    depth = np.full((240, 320), 2.0)
    depth[:, 160:] = 4.0
    found = measured(depth)
    between = (found > 2.2) & (found < 3.6)
    assert between[:, 156:164].any() and not between[:, :150].any() and not between[:, 170:].any()


def test_what_is_not_measured():
    depth = np.full((240, 320), 2.0)
    depth[:50] = FARTHEST_M + 1
    depth[100:150] = 0
    found = measured(depth)
    assert (found[:47] == 0).all() and (found[103:147] == 0).all()
    assert found.dtype == np.float32 and (found >= 0).all() and np.isfinite(found).all()
