import json
from dataclasses import asdict

import numpy as np
import pytest

from dsflash_ros import Options
from dsflash_ros.errors import OptionError
from dsflash_ros.option import Option
from dsflash_ros.pipeline.asking import NAMES
from dsflash_ros.pipeline.options import FRAME_OPTIONS, MODEL_OPTIONS

RATIO = Option("ratio", 0.5, "A number.", limits=(0.0, 0.7))
COUNT = Option("count", 3, "A whole number.", limits=(0, 10))
FLAG = Option("flag", False, "A flag.")
NAME = Option("name", "a", "A name.")
CHOICE = Option("choice", "a", "One of two.", choices=("a", "b"))


@pytest.mark.parametrize(
    ("option", "right", "wrong"),
    [
        (RATIO, (0, 0.0, 0.7, 0.35), (-0.01, 0.71, float("nan"), float("inf"), True, "0.5", None)),
        (COUNT, (0, 3, 10), (-1, 11, 3.0, False, "3")),
        (FLAG, (True, False), (0, 1, "true", None)),
        (NAME, ("", "anything"), (0, None, True)),
        (CHOICE, ("a", "b"), ("c", "", 0)),
    ],
)
def test_what_an_option_accepts(option, right, wrong):
    for value in right:
        assert option.accepts(value)
        option.check(value)
    for value in wrong:
        assert not option.accepts(value)
        with pytest.raises(OptionError, match=f"{option.name} must be .*, got "):
            option.check(value)


def test_the_sentence_says_what_will_do():
    sentences = []
    for option in (RATIO, COUNT, FLAG, NAME, CHOICE):
        with pytest.raises(ValueError) as caught:
            option.check(None)
        sentences.append(str(caught.value))
    assert sentences == [
        "ratio must be a number from 0 to 0.7, got None",
        "count must be a whole number from 0 to 10, got None",
        "flag must be True or False, got None",
        "name must be a string, got None",
        "choice must be one of a, b, got None",
    ]


def test_the_tables_are_in_order():
    options = (*MODEL_OPTIONS, *FRAME_OPTIONS)
    assert len({option.name for option in options}) == len(options)
    for option in options:
        assert option.accepts(option.default)
        assert option.description[0].isupper() and option.description.endswith(".")
        assert option.live == (option in FRAME_OPTIONS or option.name in NAMES)


@pytest.mark.parametrize("option", FRAME_OPTIONS, ids=lambda option: option.name)
def test_options_are_made_from_the_table(option):
    assert getattr(Options(), option.name) == option.default
    wrong = [None, "text"]
    if option.limits:
        low, high = option.limits
        for limit in (low, high):
            assert getattr(Options(**{option.name: limit}), option.name) == limit
        wrong += [low - 1, high + 1]
    for value in wrong:
        with pytest.raises(ValueError, match=option.name):
            Options(**{option.name: value})


@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.int32])
def test_whole_numbers_of_numpy_will_do(kind):
    options = Options(max_segments=kind(3), tome_ratio=kind(0))
    assert options == Options(max_segments=3)
    assert json.loads(json.dumps(asdict(options))) == asdict(options)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_numbers_of_numpy_will_do(kind):
    options = Options(relation_threshold=kind(0.5))
    assert options == Options(relation_threshold=0.5)
    assert type(options.relation_threshold) is float
    for wrong in (kind(1.5), kind("nan"), np.bool_(True), np.array(0.5)):
        with pytest.raises(ValueError, match="relation_threshold must be a number from 0 to 1"):
            Options(relation_threshold=wrong)
    with pytest.raises(ValueError, match="max_segments must be a whole number"):
        Options(max_segments=kind(3))
