import pytest


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Five test images and tiny weights: `whole`, and `segmenter`, which cannot relate."""
    from shapes_weights import write_weights

    from dsflash_ros.data.shapes import write_shapes

    folder = tmp_path_factory.mktemp("shapes")
    write_shapes(folder, 6, test_share=0.85, height=64, width=80)
    write_weights(folder)
    return folder
