"""What a fair scheduler leaves to a program beside others."""

NICE_19 = 15 / 1024
"""The weight that Linux gives a thread of niceness 19; one of niceness 0 has 1."""


def fair_cores(threads: int, others: int, weight: float, is_pinned: bool, cores: int) -> float:
    """How many cores' worth of time threads get that are always ready to run.

    Args:
        threads: ours, each of weight 1. A thread uses one core at most.
        others: other threads that are always ready to run.
        weight: of each of those.
        is_pinned: all others on one core, which one of our threads shares with them only if no
            other core is free.
        cores: of the machine.
    """
    if others == 0:
        return float(min(threads, cores))
    if is_pinned:
        if threads < cores:
            return float(threads)
        return cores - 1 + 1 / (1 + others * weight)
    # Those of the greatest weight first: whose share is more than a core takes just that one.
    ours, remaining = 0.0, float(cores)
    waiting = sorted([(1.0, True)] * threads + [(weight, False)] * others, reverse=True)
    while waiting and remaining > 0:
        total = sum(each for each, _ in waiting)
        share, is_ours = waiting.pop(0)
        taken = min(1.0, remaining * share / total)
        remaining -= taken
        if is_ours:
            ours += taken
    return ours
