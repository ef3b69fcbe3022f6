import numpy as np
import pytest

from dsflash_ros.language.mixing import mixing, mixture


def embeddings(count, width, seed):
    vectors = np.random.default_rng(seed).normal(size=(count, width))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("seed", range(5))
def test_new_logits_are_those_of_a_ridge_regression(seed):
    """By gradient descent's fixed point, one name and one input at a time."""
    known, new = embeddings(6, 20, seed), embeddings(3, 20, seed + 100)
    logits = np.random.default_rng(seed + 200).normal(size=(4, 6))
    found = logits @ mixture(known, new, 0.3)
    centre = known.mean(0)
    for row, z in enumerate(logits):
        for column, e in enumerate(new):
            # the vector w that explains the centred logits best, w = argmin |K w - z|^2 + r |w|^2
            k = known - centre
            w = np.linalg.solve(k.T @ k + 0.3 * np.eye(20), k.T @ (z - z.mean()))
            expected = z.mean() + w @ (e - centre)
            assert found[row, column] == pytest.approx(expected, abs=1e-5)


def test_what_is_added_to_all_is_added_to_the_new():
    shares = mixture(embeddings(5, 16, 0), embeddings(7, 16, 1))
    assert shares.dtype == np.float32 and shares.shape == (5, 7)
    np.testing.assert_allclose(shares.sum(0), 1, atol=1e-6)


def test_without_ridge_a_known_name_is_itself():
    known = embeddings(6, 20, 3)
    np.testing.assert_allclose(mixture(known, known, 1e-9), np.eye(6), atol=1e-6)


def test_known_names_keep_their_logits():
    known = embeddings(6, 20, 4)
    matrix = mixing(known, embeddings(2, 20, 5))
    logits = np.random.default_rng(6).normal(size=(9, 6)).astype(np.float32)
    np.testing.assert_array_equal((logits @ matrix)[:, :6], logits)


def test_more_names_than_numbers_in_an_embedding():
    found = mixture(embeddings(50, 8, 7), embeddings(4, 8, 8))
    assert np.isfinite(found).all()
