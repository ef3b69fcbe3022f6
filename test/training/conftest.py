import pytest
from runs import arguments, make_inputs

from dsflash_ros import cli


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    make_inputs(folder)
    return folder


@pytest.fixture(scope="session")
def whole_run(folder):
    """Three epochs, never interrupted."""
    assert cli.main(arguments(folder, "whole", "epochs=3", "val_split=train")) == 0
    return folder / "whole"
