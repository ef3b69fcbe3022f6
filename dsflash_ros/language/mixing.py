"""Logits of new names from those of known ones, by what their words have in common.

A closed head has no output for a new name. But its outputs for known names say much about the
input, and text embeddings say how a new name relates to the known ones: the new name's embedding is
written as a mixture of theirs (ridge regression), and the new logit is the same mixture of their
logits. ConSE (Norouzi et al., ICLR 2014) goes the other way, from probabilities to an embedding.
"""

import numpy as np

RIDGE = 1.0
"""Added to the squared singular values of the known embeddings. Chosen on base predicates that
played the novel ones, see docs/open_vocabulary.md."""


def mixture(known: np.ndarray, new: np.ndarray, ridge: float = RIDGE) -> np.ndarray:
    """How to mix logits of known names into those of new ones: (known, new) float32.

    `known` and `new` are embeddings, (known, D) and (new, D). Each column sums to 1, so that what
    is added to all known logits is added to the new one: with z the known logits, the new one is
    mean(z) + a (z - mean(z)), where a = (K K' + ridge)^-1 K e; the mean of the known embeddings is
    taken away from those in K, and from e, before.
    """
    known, new = np.asarray(known, np.float64), np.asarray(new, np.float64)
    known, new = known - known.mean(0), new - known.mean(0)
    gram = known @ known.T + ridge * np.eye(len(known))
    shares = np.linalg.solve(gram, known @ new.T)
    return (shares + (1 - shares.sum(0)) / len(known)).astype(np.float32)


def mixing(known: np.ndarray, new: np.ndarray) -> np.ndarray:
    """The matrix from logits of known names to those of the known and the new ones.

    (known, known + new) float32. Known names keep their logits.
    """
    own = np.eye(len(known), dtype=np.float32)
    return np.concatenate((own, mixture(known, new)), axis=1)
