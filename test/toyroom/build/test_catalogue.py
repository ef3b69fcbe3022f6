import numpy as np
import pytest

from dsflash_ros.toyroom import VOCABULARY
from dsflash_ros.toyroom.build.catalogue import MAKERS, make
from dsflash_ros.toyroom.build.solids import extent


def test_the_catalogue_has_all_things_but_people():
    assert set(MAKERS) == set(VOCABULARY.things) - {"person"}


@pytest.mark.parametrize("name", MAKERS)
def test_things_stand_on_the_origin_and_no_two_are_the_same(name):
    items = [make(name, np.random.default_rng(seed)) for seed in range(20)]
    assert {item.name for item in items} == {name}
    extents = np.stack([extent(item) for item in items])
    assert (np.ptp(extents[:, :, 2], axis=1) < 2.1).all()
    assert np.abs(extents[:, :, :2].mean(1)).max() < 0.15
    assert len({tuple(corners.ravel()) for corners in extents}) == len(items)
    if name not in ("clock", "umbrella"):  # a clock is on a wall, an open umbrella in a hand
        assert extents[:, 0, 2] == pytest.approx(0, abs=1e-9)


def test_unknown_names_are_refused():
    with pytest.raises(KeyError):
        make("person", np.random.default_rng(0))
