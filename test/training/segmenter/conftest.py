import pytest

from dsflash_ros.data.psg import PsgDataset
from dsflash_ros.data.shapes import write_shapes


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    """Eight small images."""
    folder = tmp_path_factory.mktemp("shapes")
    write_shapes(folder, 8, seed=1, height=96, width=128)
    return PsgDataset.open(folder)
