"""What Linux's fair scheduler leaves to a program beside others."""

NICE_19 = 15 / 1024
"""The weight of a thread of niceness 19; one of niceness 0 has 1."""


def fair_cores(threads: int, others: int, cores: int, weight: float = 1.0) -> float:
    """How many cores' worth of time threads get that are always ready to run.

    A thread uses one core at most. What it leaves of its share goes to the rest.

    Args:
        threads: ours.
        others: other threads that are always ready to run.
        cores: of the machine.
        weight: of each of the others, over that of each of ours.
    """
    ours, remaining = 0.0, float(cores)
    # those of the greatest weight first: whose share is more than a core takes just that one
    waiting = sorted([(1.0, True)] * threads + [(weight, False)] * others, reverse=True)
    while waiting:
        total = sum(each for each, _ in waiting)
        share, is_ours = waiting.pop(0)
        taken = min(1.0, remaining * share / total)
        remaining -= taken
        if is_ours:
            ours += taken
    return ours


def fair_cores_beside_a_full_core(threads: int, others: int, cores: int) -> float:
    """The same where all others share one core, which ours use only if no other core is free."""
    if threads < cores:
        return float(threads)
    return cores - 1 + 1 / (1 + others)
