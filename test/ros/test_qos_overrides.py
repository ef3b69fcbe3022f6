import pytest

pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")

import rclpy

from dsflash_ros.ros.image_input import ImageInput
from dsflash_ros.ros.parameter_table import ParameterError
from dsflash_ros.ros.qos_overrides import unused_qos_overrides


@pytest.fixture
def make_node(client):
    """Makes a node with these parameters, `name:=value`."""
    made = []

    def make(*parameters):
        arguments = [word for parameter in parameters for word in ("-p", parameter)]
        made.append(
            rclpy.create_node(
                "overrides", context=client.context, cli_args=["--ros-args", *arguments]
            )
        )
        return made[-1]

    yield make
    for node in made:
        node.destroy_node()


def test_those_that_nothing_asked_for_are_told(make_node):
    node = make_node(
        "qos_overrides./image.subscription.durability:=volatile",
        "qos_overrides./imag.subscription.depth:=3",
    )
    ImageInput(node, lambda message: None).open("raw")
    (problem,) = unused_qos_overrides(node)
    assert "qos_overrides./imag.subscription.depth' has no effect" in problem
    assert "history, depth, reliability, durability" in problem


@pytest.mark.parametrize(
    ("override", "hint"),
    [
        ("reliability:=some", "`some`"),
        ("depth:=-2", "from 1 to"),
        ("depth:=many", "expecting type 'INTEGER'"),
    ],
)
def test_a_wrong_one_is_one_sentence(make_node, override, hint):
    node = make_node(f"qos_overrides./image.subscription.{override}")
    sentence = r"the topic image with the given qos_overrides: .*"
    with pytest.raises(ParameterError, match=sentence) as caught:
        ImageInput(node, lambda message: None).open("raw")
    assert hint in str(caught.value) and "\n" not in str(caught.value)
