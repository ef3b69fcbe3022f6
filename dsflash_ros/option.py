"""An option of pipeline, tracking or ROS node: its default, its bounds, and what it does.

Imports neither torch nor ROS.
"""

from dataclasses import Field, dataclass, field, fields
from numbers import Integral, Real

from dsflash_ros.errors import OptionError

QUOTES = "YAML reads on, off, yes and no as true and false without quotes"
"""What to say of a truth value where words are wanted."""

Value = bool | int | float | str | tuple[str, ...]


@dataclass(frozen=True)
class Option:
    """An entry of the tables of options.

    Attributes:
        name: of the field, the ROS parameter, and, with dashes, the command's argument.
        default: also fixes the type.
        description: one sentence or two, for `--help`, `ros2 param describe` and the documentation.
        limits: least and greatest value of a number, both allowed.
        choices: the only values that a string may take; empty when any will do.
        live: takes effect with the next frame. The others wait until the model is loaded again.
        read_only: of the ROS node; counts only when it starts.
    """

    name: str
    default: Value
    description: str
    limits: tuple[float, float] | None = None
    choices: tuple[str, ...] = ()
    live: bool = False
    read_only: bool = False

    @property
    def kind(self) -> type:
        """`bool`, `int`, `float`, `str`, or `tuple` for a list of texts."""
        return type(self.default)

    @property
    def allowed(self) -> str:
        """The values that will do, in words."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        words = {
            bool: "True or False",
            int: "a whole number",
            float: "a number",
            str: "a string",
            tuple: "a list of strings",
        }
        if self.limits is None:
            return words[self.kind]
        return f"{words[self.kind]} from {self.bounds}"

    @property
    def bounds(self) -> str:
        """The limits in words, as in `0 to 0.7`; only of an option that has some."""
        low, high = self.limits
        return f"{low:g} to {high:g}"

    def accepts(self, value: object) -> bool:
        """Whether the value is of the right type and within the bounds.

        A whole number will do where a number is wanted, and so will numbers of NumPy.
        """
        if self.kind is bool or isinstance(value, bool):
            return self.kind is bool and isinstance(value, bool)
        if self.kind is tuple:
            return isinstance(value, (tuple, list)) and all(isinstance(x, str) for x in value)
        if not isinstance(value, {int: Integral, float: Real}.get(self.kind, self.kind)):
            return False
        if self.choices:
            return value in self.choices
        if self.limits is None:
            return True
        low, high = self.limits
        return low <= value <= high  # false for NaN, too

    def check(self, value: object) -> Value:
        """The value, of a number Python's own. Raises `OptionError` for one that will not do."""
        if not self.accepts(value):
            raise OptionError(f"{self.name} must be {self.allowed}, got {value!r}")
        return self.kind(value) if self.kind in (int, float) else value


def options_of(kind: type) -> tuple[Option, ...]:
    """The fields of a dataclass whose fields are `option_field`s; they can change at any time."""
    return tuple(
        Option(entry.name, entry.default, live=True, **entry.metadata) for entry in fields(kind)
    )


def option_field(default: Value, description: str, **bounds) -> Field:
    """A field of a dataclass of options that carries the rest of its `Option`."""
    return field(default=default, metadata={"description": description, **bounds})
