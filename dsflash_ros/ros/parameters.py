"""The node's parameters: one table, checked the same way at start and while running."""

import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.exceptions import (
    InvalidParameterTypeException,
    InvalidParameterValueException,
    ParameterException,
)
from rclpy.node import Node
from rclpy.qos import QoSPolicyKind, QoSProfile
from rclpy.qos_overriding_options import InvalidQosOverridesError, QoSOverridingOptions

from dsflash_ros.errors import DSFlashError
from dsflash_ros.weights.shipped import DEFAULT_WEIGHTS

Value = bool | int | float | str


class ParameterError(DSFlashError):
    """A parameter has a wrong type or a value out of its range."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of the node.

    Attributes:
        default: also fixes the type.
        limits: least and greatest value of a number, both allowed.
        choices: the only values a string may take; empty when any will do.
        live: takes effect while the node is active, with the next frame. Others wait for the next
            activation.
        read_only: counts at start only.
    """

    name: str
    default: Value
    description: str
    limits: tuple[float, float] | None = None
    choices: tuple[str, ...] = ()
    live: bool = False
    read_only: bool = False

    @property
    def allowed(self) -> str:
        """The values that will do, in words."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        kind = {
            bool: "true or false",
            int: "an integer",
            float: "a number with a decimal point",
            str: "a string",
        }
        limits = f" from {self.limits[0]} to {self.limits[1]}" if self.limits else ""
        return kind[type(self.default)] + limits

    def descriptor(self) -> ParameterDescriptor:
        descriptor = ParameterDescriptor(description=self.description, read_only=self.read_only)
        if self.choices:
            descriptor.additional_constraints = self.allowed
        elif not self.live and not self.read_only:
            descriptor.additional_constraints = (
                "while the node is active this cannot change: deactivate, set, activate"
            )
        if self.limits and isinstance(self.default, int):
            descriptor.integer_range = [
                IntegerRange(from_value=self.limits[0], to_value=self.limits[1])
            ]
        elif self.limits:
            descriptor.floating_point_range = [
                FloatingPointRange(from_value=self.limits[0], to_value=self.limits[1])
            ]
        return descriptor

    def problem(self, value: Value) -> str:
        """What is wrong with that value, as a sentence; empty when it will do."""
        type_fits = type(value) is type(self.default)
        # written so that NaN, which compares false with all, does not pass
        in_limits = type_fits and (not self.limits or self.limits[0] <= value <= self.limits[1])
        if in_limits and (not self.choices or value in self.choices):
            return ""
        return f"parameter '{self.name}' must be {self.allowed}, not {value!r}"


PARAMETERS = (
    Parameter(
        "weights",
        DEFAULT_WEIGHTS,
        "The model: path of a .safetensors file, its id on the hub, toyroom (of the package; it knows simulated rooms "
        "only), or random, random-tiny, random-small, random-base, random-large (untrained: the graphs mean nothing).",
    ),
    Parameter(
        "device",
        "auto",
        "Where the model runs: auto (a GPU where there is one), cpu, cuda or cuda:N.",
    ),
    Parameter(
        "precision",
        "auto",
        "Number format of the model; auto picks what suits the device.",
        choices=("auto", "float32", "bfloat16", "float16"),
    ),
    Parameter(
        "compile",
        False,
        "Compile the model with torch.compile: a slow activation, then faster frames.",
    ),
    Parameter(
        "vocabulary",
        "",
        "The vocabulary that the weights must have: psg, or a JSON file with the lists things, stuff and predicates. "
        "Empty: whatever the weights bring.",
    ),
    Parameter(
        "image_transport",
        "raw",
        "raw subscribes sensor_msgs/Image on `image`, compressed sensor_msgs/CompressedImage on `image/compressed`.",
        choices=("raw", "compressed"),
    ),
    Parameter(
        "autostart",
        True,
        "Configure and activate at start, without a lifecycle manager.",
        read_only=True,
    ),
    Parameter(
        "mask_threshold", 0.8, "Least class score of a segment.", limits=(0.0, 1.0), live=True
    ),
    Parameter(
        "overlap_threshold",
        0.8,
        "Least share of its mask that a segment keeps after those with a higher score took theirs.",
        limits=(0.0, 1.0),
        live=True,
    ),
    Parameter(
        "relation_threshold", 0.3, "Least score of a relation.", limits=(0.0, 1.0), live=True
    ),
    Parameter(
        "max_relations",
        100,
        "Most relations in a graph; the best are kept.",
        limits=(0, 65535),
        live=True,
    ),
    Parameter(
        "max_segments",
        50,
        "Most segments in a graph; the best are kept. Bounds a frame's time, which grows with their square.",
        limits=(1, 1000),
        live=True,
    ),
    Parameter(
        "pruning",
        False,
        "Leave patches out that neither mask of a pair touches: faster. Weights trained so always do.",
        live=True,
    ),
    Parameter(
        "tome_ratio",
        0.0,
        "Share of the image tokens merged before each attention: higher is faster and less exact. With `compile` each "
        "new value compiles the model anew, which holds up the next frame for a minute or more.",
        limits=(0.0, 0.7),
        live=True,
    ),
    Parameter(
        "low_resolution_masks",
        False,
        "Merge masks at a quarter of the resolution: faster, coarser.",
        live=True,
    ),
    Parameter(
        "overlay_relations",
        10,
        "Relations drawn as arrows on ~/overlay, strongest first.",
        limits=(0, 1000),
        live=True,
    ),
    Parameter(
        "no_frame_warning_s",
        5.0,
        "Warn in the log and on /diagnostics when no frame has come for that many seconds.",
        limits=(0.5, 3600.0),
        live=True,
    ),
)

BY_NAME = {parameter.name: parameter for parameter in PARAMETERS}

OPTIONS = (
    "mask_threshold",
    "overlap_threshold",
    "relation_threshold",
    "max_relations",
    "max_segments",
    "pruning",
    "tome_ratio",
    "low_resolution_masks",
)
"""Those that are fields of `dsflash_ros.pipeline.pipeline.Options`."""


def declare(node: Node) -> None:
    """Declare all parameters.

    Raises `ParameterError` for the first whose given value will not do.
    """
    for parameter in PARAMETERS:
        try:
            value = node.declare_parameter(
                parameter.name, parameter.default, parameter.descriptor()
            ).value
        except (InvalidParameterTypeException, InvalidParameterValueException) as error:
            # rclpy's errors do not carry the value that was given; an untyped declaration does
            untyped = ParameterDescriptor(dynamic_typing=True)
            value = node.declare_parameter(parameter.name, None, untyped).value
            raise ParameterError(parameter.problem(value)) from error
        if problem := parameter.problem(value):
            raise ParameterError(problem)


QOS_POLICIES = (
    QoSPolicyKind.HISTORY,
    QoSPolicyKind.DEPTH,
    QoSPolicyKind.RELIABILITY,
    QoSPolicyKind.DURABILITY,
)
"""Those that `qos_overrides` can change."""


def unused_qos_overrides(node: Node) -> list[str]:
    """A sentence for each `qos_overrides` parameter that no publisher or subscription has asked
    for.
    """
    policies = ", ".join(kind.name.lower() for kind in QOS_POLICIES)
    return [
        f"the parameter '{name}' has no effect: it must name a topic of this node in full, publisher or subscription, "
        f"and one of {policies}"
        for name in node._parameter_overrides
        if name.startswith("qos_overrides.") and not node.has_parameter(name)
    ]


def unknown(node: Node) -> list[str]:
    """A sentence for each parameter that was given at start but does not exist; ROS would say
    nothing.
    """
    given = (name for name in node._parameter_overrides if not node.has_parameter(name))
    return [
        f"there is no parameter '{name}'{_meant(name)}; it has no effect"
        for name in given
        if not name.startswith("qos_overrides.")
    ]


def _meant(name: str) -> str:
    near = difflib.get_close_matches(name, BY_NAME, 1)
    return f", but there is '{near[0]}'" if near else ""


def help_text() -> str:
    """The table as text."""
    lines = (
        f"    {p.name} ({p.allowed}; default {p.default!r})\n        {p.description}"
        for p in PARAMETERS
    )
    return "\n".join(lines)


def values(node: Node, names: tuple[str, ...] = tuple(BY_NAME)) -> dict[str, Value]:
    """The present values of these parameters."""
    return {name: node.get_parameter(name).value for name in names}


def refusal(changes: dict[str, Value], is_active: bool) -> str:
    """Why these changes cannot be made now, as a sentence; empty when they can."""
    for name, value in changes.items():
        parameter = BY_NAME.get(name)
        if parameter is None:
            continue
        if problem := parameter.problem(value):
            return problem
        if is_active and not parameter.live:
            return (
                f"parameter '{name}' cannot change while the node is active: "
                "deactivate the node, set the parameter, then activate the node again"
            )
    return ""


@contextmanager
def qos_overriding_options(topic: str) -> Iterator[QoSOverridingOptions]:
    """Options for a publisher or subscription made in this context, where wrong overrides raise
    `ParameterError`.
    """

    def check(qos: QoSProfile) -> SetParametersResult:
        return SetParametersResult(
            successful=1 <= qos.depth <= 10_000, reason="depth must be from 1 to 10000"
        )

    try:
        yield QoSOverridingOptions(QOS_POLICIES, callback=check)
    except (ParameterException, InvalidQosOverridesError, RuntimeError) as error:
        raise ParameterError(
            f"cannot use the topic {topic} with the given qos_overrides: {error}"
        ) from error
