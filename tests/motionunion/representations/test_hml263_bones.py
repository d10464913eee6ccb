from __future__ import annotations

import numpy as np
import pytest

from motionunion.representations import hml263_bones as body
from motionunion.representations import hml263_layout as layout
from motionunion.skeleton import SMPL22_PARENTS

REST = layout.REST_DIRECTIONS_22x3[1:]


def matrices(directions_N21x3: np.ndarray) -> np.ndarray:
    """What `rest_to` gives, (N, 21, 3, 3) acting on column vectors."""
    bones = np.ascontiguousarray(directions_N21x3.transpose(2, 1, 0))
    return -body.rest_to(bones, body.Scratch()).astype(np.float64).transpose(3, 2, 1, 0)


@pytest.mark.parametrize("off", [1.0, 1e-1, 1e-3, 1e-5, 1e-7, 1e-9])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_turns_of_bones_are_exact_also_where_they_point_against_their_axis(off: float, sign: float) -> None:
    random = np.random.default_rng(round(-np.log10(off)))
    directions = sign * REST + off * random.normal(size=(200, 21, 3))
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    # The product of two reflections, in more digits: across the direction, and across what lies midway to the axis.
    exact = directions.astype(np.longdouble)
    exact /= np.sqrt((exact * exact).sum(axis=-1, keepdims=True))
    across = exact - (exact * REST).sum(axis=-1, keepdims=True) * REST
    square = (across * across).sum(axis=-1, keepdims=True)
    cosine = (exact * REST).sum(axis=-1, keepdims=True)
    midway = across + np.where(cosine < 0, square / np.maximum(1 - cosine, 1), 1 + cosine) * REST
    midway /= np.sqrt((midway * midway).sum(axis=-1, keepdims=True))
    expected = np.eye(3) - 2 * midway[..., None] * midway[..., None, :] + 2 * exact[..., None] * REST[:, None]
    np.testing.assert_allclose(matrices(directions), expected, rtol=0, atol=5e-7)


def test_exactly_opposite_bones_turn_about_z_or_where_that_is_along_them_about_y() -> None:
    found = matrices(-REST[None])[0]
    for bone, turned in enumerate(found, start=1):
        about_y = bone in (*layout.RIGHT, *layout.FORWARD)
        np.testing.assert_array_equal(turned, np.diag([-1, 1, -1] if about_y else [-1, -1, 1]))


def test_stretches_of_bones_hang_on_the_bones_that_the_chains_say() -> None:
    before = {0: 0, 1: 0, 2: 0}
    for own, parents in (*body.BELOW, (body.ARM_STARTS, body.CHEST)):
        bones, above = np.arange(21)[own], np.arange(21)[parents]
        before |= dict(zip(bones.tolist(), np.broadcast_to(above, bones.shape).tolist(), strict=True))
    for bone in range(3, 21):
        assert before[bone] + 1 == SMPL22_PARENTS[bone + 1]
    still = np.repeat(REST.T[:, :, None], 2, axis=2)
    hung = body.hang(np.zeros((3, 2)), still, np.empty((3, 22, 2)))[:, :, 0].T
    for joint in range(1, 22):
        np.testing.assert_allclose(
            hung[joint] - hung[SMPL22_PARENTS[joint]], layout.TARGET_OFFSETS_22x3[joint], atol=1e-15
        )
