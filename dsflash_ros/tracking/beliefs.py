"""What is believed after several uncertain observations."""

import math
from dataclasses import dataclass, field

MARGIN = 0.1
"""By how much another answer has to be ahead of the present one to take its place."""


def logit(probability: float, most: float = 0.999) -> float:
    """Log odds; probabilities are kept within 1 - most and most."""
    probability = min(max(probability, 1 - most), most)
    return math.log(probability / (1 - probability))


@dataclass
class Evidence:
    """Log odds that something holds, which begins and ends once (hysteresis).

    Attributes:
        log_odds: now.
        holds: True from the time when they pass `begin` until they fall below `end`.
    """

    log_odds: float = 0.0
    holds: bool = False

    def add(self, log_odds: float, most: float) -> None:
        """Take an observation in. The sum stays in 0..most, so that no past outweighs all else."""
        self.log_odds = min(max(self.log_odds + log_odds, 0.0), most)

    def decide(self, begin: float, end: float) -> bool:
        """Whether it holds, by the log odds at which it begins and ends."""
        self.holds = self.log_odds >= (end if self.holds else begin)
        return self.holds


@dataclass
class Shares:
    """Running means of the scores that alternatives got; at most one alternative per observation.

    Attributes:
        shares: 0 to 1, by alternative.
        best: the present answer: the alternative with the largest share, which another one replaces
            only when it is ahead by `MARGIN`. None before the first observation.
    """

    shares: dict[int, float] = field(default_factory=dict)
    best: int | None = None

    def add(self, alternative: int | None, score: float, share: float) -> None:
        """Take an observation in, which makes up `share` of the means. None: nothing was seen."""
        for known in self.shares:
            self.shares[known] *= 1 - share
        if alternative is not None:
            self.shares[alternative] = self.shares.get(alternative, 0.0) + share * score
        if self.shares:
            ahead = max(self.shares, key=self.shares.get)
            if self.best is None or self.shares[ahead] > self[self.best] + MARGIN:
                self.best = ahead

    def __getitem__(self, alternative: int) -> float:
        return self.shares.get(alternative, 0.0)
