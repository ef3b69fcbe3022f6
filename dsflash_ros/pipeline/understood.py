"""Options as the weights in use understand them."""

import logging
from collections.abc import Collection
from dataclasses import replace

from dsflash_ros.errors import OptionError
from dsflash_ros.model.header import Header
from dsflash_ros.pipeline.backends.base import Backend
from dsflash_ros.pipeline.options import Options

OF_SEGMENTERS = ("tome_ratio",)
"""Without effect they would promise what the weights cannot do, so they are refused."""

OF_RELATERS = ("pruning",)
"""Without effect they cost nothing but time, so the log says so."""

_log = logging.getLogger(__name__)


class UnderstoodOptions:
    """Refuses or completes options, as their weights need it.

    Attributes:
        prunes: whether the relation stage learned from pruned patches alone, so that `pruning`
            stays on.
    """

    def __init__(self, backend: Backend, header: Header, weights: str) -> None:
        """`weights`: their name."""
        self._backend, self._config, self._weights = backend, header.config, weights
        self.prunes = header.prunes and "pruning" in backend.relater_options
        self._thresholds = header.all_thresholds
        self._said: set[str] = set()

    def check(self, options: Options) -> None:
        """Raise `OptionError` for an option that the weights' segmenter does not understand.

        And for options that are none.
        """
        if not isinstance(options, Options):
            raise OptionError(f"options must be an Options(name=value, ...), got {options!r}")
        kind = repr(self._config.segmenter)
        if self._backend.name != "torch":
            kind += " in an exported form"
        for name in _without_effect(options, OF_SEGMENTERS, self._backend.segmenter_options):
            raise OptionError(
                f"{name} cannot be {getattr(options, name)}: the segmenter of the weights "
                f"{self._weights!r} is {kind}, which does not have it; leave it at "
                f"{getattr(Options(), name)}"
            )

    def complete(self, options: Options) -> Options:
        """Options that `check` allows, with the weights' thresholds where they are below 0.

        Says in the log, once, what has no effect.
        """
        self.check(options)
        for name in _without_effect(options, OF_RELATERS, self._backend.relater_options):
            if name not in self._said:
                self._said.add(name)
                text = "%s has no effect: the relation stage of the weights %r is %r, without it"
                _log.warning(text, name, self._weights, self._config.relater)
        chosen = {name: t for name, t in self._thresholds.items() if getattr(options, name) < 0}
        return replace(options, pruning=options.pruning or self.prunes, **chosen)


def _without_effect(
    options: Options, names: tuple[str, ...], understood: Collection[str]
) -> list[str]:
    usual = Options()
    return [
        name
        for name in names
        if name not in understood and getattr(options, name) != getattr(usual, name)
    ]
