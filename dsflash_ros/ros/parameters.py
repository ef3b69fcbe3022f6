"""Declaring, reading and refusing the node's parameters. The table is `parameter_table`."""

import difflib
import re

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter

from dsflash_ros.option import Option, Value
from dsflash_ros.ros.parameter_table import (
    BY_NAME,
    OPTIONS,
    PARAMETERS,
    ParameterError,
    allowed,
    help_text,
    problem,
)
from dsflash_ros.ros.process.rclpy_gaps import given_parameters
from dsflash_ros.ros.qos_overrides import PREFIX as QOS_PREFIX

__all__ = [
    "BY_NAME",
    "OPTIONS",
    "PARAMETERS",
    "ParameterError",
    "Value",
    "camera_names",
    "declare",
    "descriptor",
    "help_text",
    "problem",
    "refusal",
    "unknown",
    "values",
]


def declare(node: Node) -> None:
    """Declare all parameters.

    Raises `ParameterError` for the first whose given value will not do.
    """
    for parameter in PARAMETERS:
        try:
            value = read(
                node.declare_parameter(
                    parameter.name, _ros_default(parameter), descriptor(parameter)
                ).value,
                parameter,
            )
        except (InvalidParameterTypeException, InvalidParameterValueException) as error:
            # rclpy's errors do not carry the value that was given; an untyped declaration does
            untyped = ParameterDescriptor(dynamic_typing=True)
            value = node.declare_parameter(parameter.name, None, untyped).value
            raise ParameterError(problem(parameter, value)) from error
        if sentence := problem(parameter, value):
            raise ParameterError(sentence)
        if value == ():  # ROS leaves a parameter unset that was given as []
            node.set_parameters([Parameter(parameter.name, Parameter.Type.STRING_ARRAY, [""])])


def _ros_default(parameter: Option) -> Value:
    """The default in a form whose type ROS can see."""
    return [""] if parameter.default == () else parameter.default


def read(value: object, parameter: Option) -> object:
    """What Python makes of a parameter's value: of a list a tuple, of one empty text an empty one.

    ROS gives None for an empty list.
    """
    if parameter.kind is not tuple or not (value is None or isinstance(value, list)):
        return value
    return () if value in (None, [], [""]) else tuple(value)


def descriptor(parameter: Option) -> ParameterDescriptor:
    """What `ros2 param describe` shows, and what rclpy itself checks."""
    found = ParameterDescriptor(description=parameter.description, read_only=parameter.read_only)
    if parameter.choices:
        found.additional_constraints = allowed(parameter)
    elif not parameter.live and not parameter.read_only:
        found.additional_constraints = (
            "while the node is active this cannot change: deactivate, set, activate"
        )
    if parameter.limits is None:
        return found
    low, high = parameter.limits
    if parameter.kind is int:
        found.integer_range = [IntegerRange(from_value=low, to_value=high)]
    else:
        found.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    return found


def unknown(node: Node) -> list[str]:
    """A sentence for each parameter that was given at start but does not exist.

    ROS would say nothing.
    """
    sentences = []
    for name in given_parameters(node):
        if name.startswith(QOS_PREFIX) or node.has_parameter(name):
            continue
        near = difflib.get_close_matches(name, BY_NAME, 1)
        meant = f", but there is '{near[0]}'" if near else ""
        sentences.append(f"there is no parameter '{name}'{meant}; it has no effect")
    return sentences


def values(node: Node, names: tuple[str, ...] = tuple(BY_NAME)) -> dict[str, Value]:
    """The present values of these parameters."""
    return {name: read(node.get_parameter(name).value, BY_NAME[name]) for name in names}


def refusal(changes: dict[str, Value], is_active: bool) -> str:
    """Why these changes cannot be made now, as a sentence; empty when they can."""
    for name, value in changes.items():
        parameter = BY_NAME.get(name)
        if parameter is None:
            continue
        if sentence := problem(parameter, read(value, parameter)):
            return sentence
        if is_active and not parameter.live:
            return (
                f"parameter '{name}' cannot change while the node is active: "
                "deactivate the node, set the parameter, then activate the node again"
            )
    return ""


def camera_names(text: str) -> list[str]:
    """The names in the parameter `cameras`; one empty name when there is none.

    Raises `ParameterError` for names that no topic can have, and for one that comes twice.
    """
    names = [name.strip().strip("/") for name in text.split(",")] if text.strip() else [""]
    is_wrong = not all(re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII) for name in names)
    if (text.strip() and is_wrong) or len(set(names)) < len(names):
        raise ParameterError(
            "parameter 'cameras' must be different names separated by commas, made of the "
            f"letters a to z, digits and underscores, as in front,left; got {text!r}"
        )
    return names
