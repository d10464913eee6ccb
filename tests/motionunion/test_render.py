"""Pictures of motions: as long as the motion, left where left is, and refusals in words."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from motionunion.body import TEMPLATE
from motionunion.errors import ClipError, MissingInput
from motionunion.kinematics import forward_kinematics
from motionunion.render import contact_sheet, write_gif
from motionunion.skeleton import SMPL22_PARENTS


def standing(frames):
    quats = np.zeros((frames, 22, 4))
    quats[..., 0] = 1
    root = np.zeros((frames, 3))
    root[:, 2] = np.linspace(0, 1, frames)
    root[:, 1] = 0.95
    return forward_kinematics(root, quats, TEMPLATE.offsets_22x3, SMPL22_PARENTS)


def durations(path):
    with Image.open(path) as image:
        lengths = []
        for number in range(image.n_frames):
            image.seek(number)
            lengths.append(image.info["duration"])
    return lengths


@pytest.mark.parametrize(("fps", "frames", "kept"), [(20.0, 40, 40), (30.0, 60, 30), (60.0, 60, 20), (120.0, 60, 12)])
def test_a_gif_lasts_as_long_as_the_motion(tmp_path, fps, frames, kept):
    path = write_gif(standing(frames), fps, tmp_path / "a.gif", size=120)
    lengths = durations(path)
    assert len(lengths) == kept
    assert sum(lengths) / 1000 == pytest.approx(frames / fps, abs=0.011)


def test_the_subjects_left_is_on_the_right_of_the_picture(tmp_path):
    path = contact_sheet([standing(3)], tmp_path / "a.png", moments=1, size=300)
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
    orange = np.abs(pixels - (224, 110, 60)).sum(axis=-1) < 30
    blue = np.abs(pixels - (55, 110, 190)).sum(axis=-1) < 30
    assert orange.sum() > 100
    assert blue.sum() > 100
    assert np.nonzero(orange)[1].mean() > np.nonzero(blue)[1].mean() + 20


def test_the_head_is_above_the_feet(tmp_path):
    path = contact_sheet([standing(1)], tmp_path / "a.png", moments=1, size=300)
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
    head = np.abs(pixels - (70, 74, 84)).sum(axis=-1) < 20
    legs = np.abs(pixels - (55, 110, 190)).sum(axis=-1) < 20
    assert np.nonzero(head)[0].min() < np.nonzero(legs)[0].min()


def test_title_and_caption_are_drawn(tmp_path):
    plain = write_gif(standing(2), 20, tmp_path / "a.gif", size=200)
    named = write_gif(standing(2), 20, tmp_path / "b.gif", title="walk", size=200)
    told = write_gif(
        standing(2), 20, tmp_path / "c.gif", title="walk", caption="a person slides forward " * 3, size=200
    )
    assert len({path.read_bytes() for path in (plain, named, told)}) == 3


def test_of_a_megabyte_of_caption_the_beginning_is_drawn(tmp_path):
    long = write_gif(standing(2), 20, tmp_path / "a.gif", caption="word " * 250_000, title="x\n" * 250_000, size=100)
    short = write_gif(standing(2), 20, tmp_path / "b.gif", caption="word " * 100, title="x\n" * 150, size=100)
    assert long.read_bytes() == short.read_bytes()


def test_a_sheet_has_a_row_per_motion(tmp_path):
    path = contact_sheet([standing(5), standing(9)], tmp_path / "a.png", ["one", "two"], moments=4, size=100)
    with Image.open(path) as image:
        assert image.size == (400, 2 * (112 + 20))


def test_one_frame_is_enough(tmp_path):
    assert len(durations(write_gif(standing(1), 20, tmp_path / "a.gif", size=100))) == 1


@pytest.mark.parametrize("shape", [(4, 21, 3), (4, 22), (0, 22, 3)])
def test_other_shapes_are_refused(tmp_path, shape):
    with pytest.raises(ClipError, match=r"\(T, 22, 3\)"):
        write_gif(np.zeros(shape), 20, tmp_path / "a.gif")


def test_positions_that_are_not_finite_are_refused_and_nothing_is_written(tmp_path):
    joints = standing(4)
    joints[2, 5, 1] = np.nan
    with pytest.raises(ClipError, match="not finite"):
        write_gif(joints, 20, tmp_path / "a.gif")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fps", [0, -1, float("nan")])
def test_a_frame_rate_that_is_none_is_refused(tmp_path, fps):
    with pytest.raises(ClipError, match="frames per second"):
        write_gif(standing(2), fps, tmp_path / "a.gif")


def test_labels_and_motions_must_match(tmp_path):
    with pytest.raises(ClipError, match="labels"):
        contact_sheet([standing(2)], tmp_path / "a.png", ["one", "two"])


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "a.gif"):
        with pytest.raises(MissingInput, match="the picture cannot be written"):
            write_gif(standing(2), 20, path)
    assert [found.name for found in tmp_path.iterdir()] == ["file"]
