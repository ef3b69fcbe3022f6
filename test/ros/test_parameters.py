import dataclasses

import pytest

pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")

import rclpy

from dsflash_ros.pipeline.pipeline import Options
from dsflash_ros.ros import parameters
from dsflash_ros.ros.image_input import ImageInput
from dsflash_ros.ros.parameters import BY_NAME, PARAMETERS, ParameterError


def declared(client, *arguments):
    """The values and descriptors that a node with these ROS arguments has."""
    node = rclpy.create_node(
        "declares", context=client.context, cli_args=["--ros-args", *arguments]
    )
    try:
        parameters.declare(node)
        return parameters.values(node), {name: node.describe_parameter(name) for name in BY_NAME}
    finally:
        node.destroy_node()


def test_options_are_those_of_the_pipeline():
    defaults = dataclasses.asdict(Options())
    assert defaults == {name: BY_NAME[name].default for name in parameters.OPTIONS}
    assert all(BY_NAME[name].live for name in parameters.OPTIONS)


@pytest.mark.parametrize("name", [name for name in parameters.OPTIONS if BY_NAME[name].limits])
def test_limits_are_those_of_the_pipeline(name):
    for limit, outside in zip(BY_NAME[name].limits, (-1, 70_000), strict=True):
        assert not BY_NAME[name].problem(limit)
        Options(**{name: limit})
        with pytest.raises(ValueError, match=name):
            Options(**{name: type(limit)(outside)})


def test_defaults_and_descriptions(client):
    values, descriptors = declared(client)
    assert values == {parameter.name: parameter.default for parameter in PARAMETERS}
    for parameter in PARAMETERS:
        assert not parameter.problem(parameter.default)
        assert descriptors[parameter.name].description.endswith((".", ")."))
    assert descriptors["tome_ratio"].floating_point_range[0].to_value == 0.7
    assert descriptors["max_relations"].integer_range[0].to_value == 65535
    assert descriptors["autostart"].read_only


def test_given_values_are_taken(client):
    values, _ = declared(
        client, "-p", "tome_ratio:=0.3", "-p", "pruning:=true", "-p", "weights:=random-base"
    )
    assert (values["tome_ratio"], values["pruning"], values["weights"]) == (
        0.3,
        True,
        "random-base",
    )


def test_qos_overrides_that_nothing_asked_for_are_told(client):
    given = (
        "qos_overrides./image.subscription.durability:=volatile",
        "qos_overrides./imag.subscription.depth:=3",
    )
    arguments = ["--ros-args", "-p", given[0], "-p", given[1]]
    node = rclpy.create_node("overrides", context=client.context, cli_args=arguments)
    ImageInput(node, lambda message: None).open("raw")
    (problem,) = parameters.unused_qos_overrides(node)
    node.destroy_node()
    assert "qos_overrides./imag.subscription.depth' has no effect" in problem
    assert "history, depth, reliability, durability" in problem


def test_misspelled_parameters_are_told(client):
    arguments = [
        "--ros-args",
        "-p",
        "tome_ration:=0.3",
        "-p",
        "zzz:=1",
        "-p",
        "use_sim_time:=false",
    ]
    node = rclpy.create_node("misspells", context=client.context, cli_args=arguments)
    parameters.declare(node)
    assert sorted(parameters.unknown(node)) == [
        "there is no parameter 'tome_ration', but there is 'tome_ratio'; it has no effect",
        "there is no parameter 'zzz'; it has no effect",
    ]
    node.destroy_node()


@pytest.mark.parametrize(
    ("assignment", "sentence"),
    [
        (
            "tome_ratio:=0.8",
            "parameter 'tome_ratio' must be a number with a decimal point from 0.0 to 0.7, not 0.8",
        ),
        ("tome_ratio:=.nan", "not nan"),
        ("tome_ratio:=-.inf", "not -inf"),
        ("mask_threshold:=1", "must be a number with a decimal point from 0.0 to 1.0, not 1"),
        ("max_relations:=65536", "must be an integer from 0 to 65535, not 65536"),
        ("max_relations:=3.5", "not 3.5"),
        ("pruning:=1", "must be true or false, not 1"),
        ("weights:=7", "must be a string, not 7"),
        ("weights:=[a,b]", "must be a string"),
        ("image_transport:=theora", "must be one of raw, compressed, not 'theora'"),
    ],
)
def test_wrong_value_is_one_sentence(client, assignment, sentence):
    with pytest.raises(ParameterError) as caught:
        declared(client, "-p", assignment)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("override", "hint"),
    [
        ("reliability:=some", "`some`"),
        ("depth:=-2", "from 1 to"),
        ("depth:=many", "expecting type 'INTEGER'"),
    ],
)
def test_wrong_qos_override_is_one_sentence(client, override, hint):
    arguments = ["--ros-args", "-p", f"qos_overrides./image.subscription.{override}"]
    node = rclpy.create_node("overrides", context=client.context, cli_args=arguments)
    with pytest.raises(
        ParameterError, match=r"the topic image with the given qos_overrides: .*"
    ) as caught:
        ImageInput(node, lambda message: None).open("raw")
    node.destroy_node()
    assert hint in str(caught.value) and "\n" not in str(caught.value)


def test_refusal():
    assert parameters.refusal({"weights": "a", "tome_ratio": 0.1}, is_active=False) == ""
    assert parameters.refusal({"tome_ratio": 0.1}, is_active=True) == ""
    assert "deactivate the node" in parameters.refusal(
        {"tome_ratio": 0.1, "weights": "a"}, is_active=True
    )
    assert "0.7" in parameters.refusal({"tome_ratio": 0.7000001}, is_active=True)
    assert parameters.refusal({"use_sim_time": True}, is_active=True) == ""


def test_help_names_every_parameter():
    assert all(f"    {name} (" in parameters.help_text() for name in BY_NAME)
