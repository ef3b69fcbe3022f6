"""What `dsflash weights info` prints for a person."""

import json
import re

import pytest
from safetensors import safe_open

from dsflash_ros.cli import main
from dsflash_ros.weights.readable import WIDTH, readable
from dsflash_ros.weights.shipped import SHIPPED


def test_plain_values_and_small_groups_stand_on_a_line():
    about = {
        "file": "a.safetensors",
        "image_size": None,
        "parameters": 7581616,
        "vocabulary": {"things": 80, "stuff": 53},
        "trained": [],
        "recipe": {},
        "scores": {"val/mR@50": 0.25},
        "sha256": {"a.safetensors": "0" * 64},
    }
    assert readable(about).splitlines() == [
        "        file  a.safetensors",
        "  image size  unknown",
        "  parameters  7,581,616",
        "  vocabulary  things 80, stuff 53",
        "     trained  nothing",
        "      recipe  -",
        "      scores  val/mR@50 0.25",
        "      sha256  a.safetensors " + "0" * 64,
    ]


def test_a_recipe_is_a_block_whose_settings_can_be_typed_again():
    recipe = {
        "epochs_done": 2,
        "segmenter": {
            "dataset": "rooms",
            "images": None,
            "lr": 0.0003,
            "decay_query_blocks": True,
            "warmup_steps": [50, 100],
            "llrd": 0.6717442041299345,
            "note": "two words",
            "more": {"deep": 1},
        },
    }
    assert readable({"recipe": recipe}).splitlines() == [
        "      recipe",
        "              epochs_done=2",
        "              segmenter",
        "                dataset=rooms  images=null  lr=0.0003  decay_query_blocks=true",
        '                warmup_steps=[50, 100]  llrd=0.671744  note="two words"',
        "                more",
        "                  deep=1",
    ]


def test_scores_of_several_protocols_are_a_table():
    scores = {
        "predcls": {"dataset": "psg", "R@20": 0.74354, "mR@inf": 1.0},
        "sgdet": {"dataset": "psg", "R@20": 0.53356, "mR@inf": None, "PQ": 0.75537},
    }
    assert readable({"scores": scores}).splitlines() == [
        "      scores  dataset psg",
        "              %       predcls    sgdet",
        "              R@20       74.4     53.4",
        "              mR@inf    100.0        -",
        "              PQ            -     75.5",
    ]
    scores["predcls"]["dataset"] = "vg"
    assert readable({"scores": scores}).splitlines()[:2] == [
        "      scores  predcls: dataset vg",
        "              sgdet: dataset psg",
    ]


def test_scores_that_are_no_shares_stay_as_they_are():
    text = readable({"scores": {"val": {"loss": 12.5, "PQ": 0.5}}})
    assert "%" not in text and "loss     12.5" in text and "PQ        0.5" in text


@pytest.mark.parametrize(
    "scores", [{"val": {"steps": [1, 2]}}, {"val": {}}, {"a": {"b": {"c": 1}}}]
)
def test_scores_of_any_form(scores):
    assert readable({"scores": scores}).startswith("      scores")


def test_no_line_is_wider_than_the_page():
    words = {f"key{number}": "x" * (number % 50) for number in range(200)}
    wide = {"sentence": "word " * 100, "annealing": [[0.125, 0.25]] * 30}
    lines = readable({"recipe": {"segmenter": words | wide}}).splitlines()
    assert max(map(len, lines)) <= WIDTH == 100
    assert " ".join(lines).count("word") == 100 and " ".join(lines).count("0.125") == 30


def test_the_weights_of_the_package(capsys):
    assert main(["weights", "info", "toyroom"]) == 0
    out = capsys.readouterr().out
    first, *rest = out.splitlines()
    assert str(SHIPPED["toyroom"]) in first and max(map(len, rest)) <= WIDTH
    with safe_open(SHIPPED["toyroom"], "pt") as stored:
        recipe = json.loads(stored.metadata()["recipe"])
    for stage in ("segmenter", "relations"):
        for key, value in recipe[stage].items():
            ends = r"\n" if isinstance(value, dict) and value else "="  # a block of its own
            assert re.search(rf"\s{key}{ends}", out), key
    assert main(["weights", "info", "toyroom", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["recipe"] == recipe
