"""Names for the parts of a model of which there are several kinds."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from dsflash_ros.errors import WeightsError


class Registry:
    """Factories by name. Those given as text, `module:function`, are imported at their first use.

    So a name can be looked up without importing torch.
    """

    def __init__(self, what: str, factories: dict[str, str]) -> None:
        """`what` is made, as a user would call it."""
        self._what = what
        self._factories: dict[str, str | Callable[..., Any]] = dict(factories)

    def register(self, name: str, factory: str | Callable[..., Any]) -> None:
        """Add a kind. Raises `ValueError` when the name is taken."""
        if name in self._factories:
            raise ValueError(f"there is a {self._what} {name!r} already")
        self._factories[name] = factory

    def check(self, name: str) -> None:
        """Raise `WeightsError` when there is no such kind."""
        if name not in self._factories:
            raise WeightsError(
                f"there is no {self._what} {name!r}, only {', '.join(self._factories)}; "
                "one that another package brings must be registered before the weights are read"
            )

    def factory(self, name: str) -> Callable[..., Any]:
        """What makes that kind. Raises `WeightsError` when there is none."""
        self.check(name)
        factory = self._factories[name]
        if isinstance(factory, str):
            module, _, function = factory.partition(":")
            return getattr(import_module(module), function)
        return factory
