import pytest
from places import ROOT


@pytest.fixture(scope="session")
def drive_graphs():
    """The true graphs of a drive through a simulated room, with tracks and positions."""
    from dsflash_ros.sources.bag_truth import true_graphs

    return true_graphs(ROOT / "examples/drive")


@pytest.fixture(scope="session")
def room(drive_graphs):
    """One of them: person 19 sits on chair 12 and holds teddy bear 20; on table 11 are cups 28 and
    31, bowl 29 and book 30.
    """
    return drive_graphs[48]
