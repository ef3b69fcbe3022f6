import json

import pytest
import torch

from dsflash_ros import Options
from dsflash_ros.errors import WeightsError
from dsflash_ros.pipeline.choice import OPTIONS, pipeline_of, settings_of, vocabulary_of
from dsflash_ros.pipeline.options import FRAME_OPTIONS, MODEL_OPTIONS

DEFAULTS = {option.name: option.default for option in (*MODEL_OPTIONS, *FRAME_OPTIONS)}


@pytest.fixture(autouse=True)
def same_threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_every_option_gets_there():
    model = {"weights": "random", "device": "cpu", "precision": "bfloat16", "threads": 3}
    frame = {"max_segments": 7, "pruning": True, "mask_threshold": 0.25}
    pipeline = pipeline_of(DEFAULTS | model | frame | {"something": "else"})
    assert (pipeline.weights, pipeline.precision) == ("random", "bfloat16")
    thresholds = {"mask_threshold": 0.25, "overlap_threshold": 0.8}  # EoMT's own for the other
    assert pipeline.options == Options(**frame | thresholds)
    assert torch.get_num_threads() == 3


def test_the_vocabulary_is_asked_for():
    assert vocabulary_of(DEFAULTS) is None
    assert vocabulary_of({"vocabulary": "toyroom"}).things[0] == "person"
    with pytest.raises(WeightsError, match="another vocabulary"):
        pipeline_of(DEFAULTS | {"weights": "random", "vocabulary": "toyroom"})


def test_settings_are_what_json_gives_back():
    values = {option.name: option.default for option in OPTIONS}
    settings = settings_of(values | {"classes": ("cup", "dog")})
    assert json.loads(json.dumps(settings)) == settings
    assert settings["classes"] == ["cup", "dog"]
