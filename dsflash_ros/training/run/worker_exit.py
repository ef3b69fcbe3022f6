"""How loading processes end. Imports neither torch nor Lightning."""

import sys


def hide_lost_connections(_worker: int) -> None:
    """Keep a loading process quiet when the run ends while it hands over tensors, as on Ctrl-C.

    Its thread would print a traceback then. Errors of the data set are reported another way.
    """
    usual = sys.excepthook

    def hook(kind, error, trace) -> None:
        if not issubclass(kind, (ConnectionError, EOFError)):
            usual(kind, error, trace)

    sys.excepthook = hook
