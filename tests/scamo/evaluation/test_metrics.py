from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scamo.evaluation import metrics


def test_reference_numbers_come_out(golden):
    case = golden("metrics")
    text, count = case["input.text"], len(case["input.text"])
    for name in ("motion", "predicted"):
        motion = case[f"input.{name}"]
        hits = metrics.retrieval_hits(text, motion)
        np.testing.assert_array_equal(hits, case[f"output.r_precision_sums_{name}"])
        score = metrics.matching_score(text, motion)
        for form in ("score", "sum"):  # the reference adds up, once from norms and once from its distance matrix
            assert score * count == pytest.approx(float(case[f"output.matching_{form}_{name}"]), rel=1e-6)
    motion, predicted = case["input.motion"], case["input.predicted"]
    assert metrics.frechet_distance(motion, predicted) == pytest.approx(float(case["output.fid"]), abs=1e-8)
    assert metrics.frechet_distance(motion, motion) == pytest.approx(0, abs=1e-6)
    pairs = case["output.diversity_first"], case["output.diversity_second"]
    assert metrics.diversity(motion, *pairs) == pytest.approx(float(case["output.diversity"]), rel=1e-6)
    pairs = case["output.multimodality_first"], case["output.multimodality_second"]
    result = metrics.multimodality(case["input.multi"], *pairs)
    assert result == pytest.approx(float(case["output.multimodality"]), rel=1e-6)


def test_fid_equals_the_matrix_square_root_form():
    from scipy.linalg import sqrtm

    generator = np.random.default_rng(3)
    first = generator.normal(size=(200, 12)) @ generator.normal(size=(12, 12))
    second = generator.normal(size=(300, 12)) @ generator.normal(size=(12, 12)) + 0.3
    covariances = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    shift = first.mean(0) - second.mean(0)
    wanted = shift @ shift + np.trace(sum(covariances) - 2 * sqrtm(covariances[0] @ covariances[1]).real)
    assert metrics.frechet_distance(first, second) == pytest.approx(wanted, abs=1e-8)


def test_fid_of_fewer_items_than_dimensions_is_finite_and_zero_against_itself():
    few = np.random.default_rng(0).normal(size=(20, 128))
    assert metrics.frechet_distance(few, few) == pytest.approx(0, abs=1e-6)
    other = metrics.frechet_distance(few, np.random.default_rng(1).normal(size=(20, 128)))
    assert np.isfinite(other)
    assert other > 1


def test_fid_of_a_shifted_set_is_the_squared_shift():
    points = np.random.default_rng(5).normal(size=(500, 6))
    assert metrics.frechet_distance(points, points + 2.0) == pytest.approx(6 * 4.0, rel=1e-9)


def test_fid_of_one_embedding_is_refused():
    with pytest.raises(ValueError, match="two"):
        metrics.frechet_distance(np.ones((1, 4)), np.ones((5, 4)))


def test_shuffled_pairs_hit_by_chance():
    generator = np.random.default_rng(0)
    count = 32 * 60
    hits = metrics.retrieval_hits(generator.normal(size=(count, 8)), generator.normal(size=(count, 8)))
    for k in (1, 2, 3):
        chance = k / 32
        assert abs(hits[k - 1] / count - chance) < 3 * np.sqrt(chance * (1 - chance) / count)


def test_identical_pairs_hit_always_and_a_constant_evaluator_hits_by_chance():
    points = np.random.default_rng(0).normal(size=(64, 8))
    np.testing.assert_array_equal(metrics.retrieval_hits(points, points), [64, 64, 64])
    same = np.ones((64, 8))
    np.testing.assert_allclose(metrics.retrieval_hits(same, same), [2, 4, 6])


def test_a_partial_pool_is_left_out():
    points = np.random.default_rng(0).normal(size=(63, 8))
    np.testing.assert_array_equal(metrics.retrieval_hits(points, points), [32, 32, 32])
    np.testing.assert_array_equal(metrics.retrieval_hits(points[:31], points[:31]), [0, 0, 0])


def test_motions_are_ranked_for_each_text_and_not_the_other_way():
    texts, motions = np.array([[0.0], [1.0], [1.1]]), np.array([[0.9], [3.0], [1.2]])
    # per text: 0 -> motion 0 (hit), 1 -> motion 0 (miss), 2 -> motion 2 (hit); per motion: 0 -> 1, 1 -> 2, 2 -> 2
    assert metrics.retrieval_hits(texts, motions, top=1, pool=3)[0] == 2
    assert metrics.retrieval_hits(motions, texts, top=1, pool=3)[0] == 1


@settings(max_examples=50, deadline=None)
@given(arrays(np.float32, (7, 5), elements=st.floats(-1e3, 1e3, width=32)))
def test_distances_are_finite_symmetric_and_zero_on_the_diagonal(points):
    distances = metrics.distance_matrix(points, points)
    assert np.isfinite(distances).all()
    np.testing.assert_allclose(distances, distances.T, atol=1e-6)
    direct = np.linalg.norm(points[:, None].astype(float) - points[None].astype(float), axis=2)
    np.testing.assert_allclose(distances, direct, atol=1e-4)


def test_pairs_are_half_the_items_and_at_most_300():
    for count, pairs in ((4640, 300), (601, 300), (150, 75), (3, 1)):
        first, second = metrics.draw_pairs(count, np.random.default_rng(0))
        assert len(first) == len(second) == len(set(first)) == len(set(second)) == pairs
