"""The node's parameters come from one table, which needs no ROS."""

import dataclasses

import pytest
import yaml
from places import ROOT

from dsflash_ros import Options
from dsflash_ros.ros import parameter_table
from dsflash_ros.ros.parameter_table import BY_NAME, PARAMETERS, problem


def test_options_are_those_of_the_pipeline():
    defaults = dataclasses.asdict(Options())
    assert defaults == {name: BY_NAME[name].default for name in parameter_table.OPTIONS}
    assert all(BY_NAME[name].live for name in parameter_table.OPTIONS)


def test_those_that_are_not_live_come_first():
    """The configuration file says so."""
    assert [option.live for option in PARAMETERS] == sorted(one.live for one in PARAMETERS)


def test_no_name_is_there_twice():
    assert len(BY_NAME) == len(PARAMETERS)


def test_the_configuration_file_is_made_from_the_table():
    path = ROOT / "config/dsflash.yaml"
    assert path.read_text() == parameter_table.yaml_text(), (
        f"make it anew: python -m dsflash_ros.ros.parameter_table yaml > {path.relative_to(ROOT)}"
    )


def test_the_configuration_file_has_every_parameter_at_its_default():
    read = yaml.safe_load((ROOT / "config/dsflash.yaml").read_text())
    assert list(read) == ["/**"] and list(read["/**"]) == ["ros__parameters"]
    values = read["/**"]["ros__parameters"]
    # ROS takes no empty list whose type it cannot see
    values = {name: () if value == [""] else value for name, value in values.items()}
    assert values == {parameter.name: parameter.default for parameter in PARAMETERS}
    # 5 == 5.0, but the node refuses an integer for a parameter that is a float
    assert not any(problem(parameter, values[parameter.name]) for parameter in PARAMETERS)


def test_the_documentation_has_the_table():
    assert parameter_table.markdown() in (ROOT / "docs/node.md").read_text(), (
        "the table in docs/node.md: python -m dsflash_ros.ros.parameter_table markdown"
    )


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("tome_ratio", 0.8, "must be a number with a decimal point from 0.0 to 0.7, not 0.8"),
        ("tome_ratio", float("nan"), "not nan"),
        ("mask_threshold", 1, "must be a number with a decimal point from -1.0 to 1.0, not 1"),
        ("max_relations", 65536, "must be an integer from 0 to 65535, not 65536"),
        ("max_relations", 3.5, "not 3.5"),
        ("threads", -1, "must be an integer from 0 to 1024, not -1"),
        ("pruning", 1, "must be true or false, not 1"),
        ("weights", 7, "must be a string, not 7"),
        ("classes", "cup", "must be a list of strings, not 'cup'"),
        ("predicates", [True], "not [True]; YAML reads on, off, yes and no as true and false"),
        ("image_transport", "theora", "must be one of raw, compressed, not 'theora'"),
    ],
)
def test_wrong_values(name, value, sentence):
    found = problem(BY_NAME[name], value)
    assert found.startswith(f"parameter '{name}' ") and sentence in found


def test_help_names_every_parameter():
    text = parameter_table.help_text()
    assert all(f"    {name} (" in text for name in BY_NAME)
    assert max(map(len, text.splitlines())) <= 100
