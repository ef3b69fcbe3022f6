import pytest

pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")

import rclpy

from dsflash_ros.pipeline.asking import NAMES
from dsflash_ros.ros import parameters
from dsflash_ros.ros.parameter_table import TRACKING
from dsflash_ros.ros.parameters import BY_NAME, PARAMETERS, ParameterError


@pytest.fixture
def declared(client):
    """Declares the parameters of a node with these values; gives it."""
    made = []

    def declare(*assignments, name="declares"):
        arguments = [word for assignment in assignments for word in ("-p", assignment)]
        node = rclpy.create_node(name, context=client.context, cli_args=["--ros-args", *arguments])
        made.append(node)
        parameters.declare(node)
        return node

    yield declare
    for node in made:
        node.destroy_node()


def test_defaults_and_descriptors(declared):
    node = declared()
    assert parameters.values(node) == {p.name: p.default for p in PARAMETERS}
    for parameter in PARAMETERS:
        found = node.describe_parameter(parameter.name)
        assert found.description == parameter.description
        assert found.read_only == parameter.read_only
        ranges = [*found.integer_range, *found.floating_point_range]
        limits = [(range.from_value, range.to_value) for range in ranges]
        assert limits == ([] if parameter.limits is None else [parameter.limits])
    assert node.describe_parameter("tome_ratio").floating_point_range[0].to_value == 0.7
    assert node.describe_parameter("max_relations").integer_range[0].to_value == 65535
    assert "deactivate" in node.describe_parameter("threads").additional_constraints
    assert "raw, compressed" in node.describe_parameter("image_transport").additional_constraints


def test_given_values_are_taken(declared):
    node = declared("tome_ratio:=0.3", "pruning:=true", "weights:=random-base", "threads:=2")
    names = ("tome_ratio", "pruning", "weights", "threads")
    assert tuple(parameters.values(node, names).values()) == (0.3, True, "random-base", 2)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ('[""]', ()),
        ("[]", ()),
        ("[cup]", ("cup",)),
        ("[cup, dining table]", ("cup", "dining table")),
        ('["", cup]', ("", "cup")),
    ],
)
def test_lists_of_names(declared, given, names):
    node = declared(f"classes:={given}", name="lists")
    assert parameters.values(node, ("classes",)) == {"classes": names}
    list_type = rclpy.Parameter.Type.STRING_ARRAY
    for value, read in (([], ()), (["a", "b"], ("a", "b"))):
        node.set_parameters([rclpy.Parameter("classes", list_type, value)])
        assert parameters.values(node, ("classes",)) == {"classes": read}


def test_misspelled_parameters_are_told(declared):
    node = declared("tome_ration:=0.3", "zzz:=1", "use_sim_time:=false")
    assert sorted(parameters.unknown(node)) == [
        "there is no parameter 'tome_ration', but there is 'tome_ratio'; it has no effect",
        "there is no parameter 'zzz'; it has no effect",
    ]


@pytest.mark.parametrize(
    ("assignment", "sentence"),
    [
        (
            "tome_ratio:=0.8",
            "parameter 'tome_ratio' must be a number with a decimal point from 0.0 to 0.7, not 0.8",
        ),
        ("tome_ratio:=.nan", "not nan"),
        ("tome_ratio:=-.inf", "not -inf"),
        ("mask_threshold:=1", "must be a number with a decimal point from -1.0 to 1.0, not 1"),
        ("max_relations:=65536", "must be an integer from 0 to 65535, not 65536"),
        ("max_relations:=3.5", "not 3.5"),
        ("pruning:=1", "must be true or false, not 1"),
        ("weights:=7", "must be a string, not 7"),
        ("weights:=[a,b]", "must be a string"),
        ("image_transport:=theora", "must be one of raw, compressed, not 'theora'"),
    ],
)
def test_a_wrong_value_is_one_sentence(declared, assignment, sentence):
    with pytest.raises(ParameterError) as caught:
        declared(assignment)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_refusal():
    refusal = parameters.refusal
    assert refusal({"weights": "a", "tome_ratio": 0.1}, is_active=False) == ""
    assert refusal({"tome_ratio": 0.1}, is_active=True) == ""
    assert "deactivate the node" in refusal({"tome_ratio": 0.1, "weights": "a"}, is_active=True)
    assert "0.7" in refusal({"tome_ratio": 0.7000001}, is_active=True)
    assert refusal({"use_sim_time": True}, is_active=True) == ""


def test_live_are_those_that_can_change_while_active():
    live = {name for name in BY_NAME if "deactivate" not in _refusal_of_default(name)}
    others = {"overlay_relations", "no_frame_warning_s", "tracking"}
    others |= {"depth_tolerance_s", "geometric_relations"}
    assert live == {*parameters.OPTIONS, *TRACKING, *NAMES, *others}


def _refusal_of_default(name):
    return parameters.refusal({name: BY_NAME[name].default}, is_active=True)
