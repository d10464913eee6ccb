"""SMPL parameters of no known set: which axis they have, and what marks a fit of a video."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motionunion import rotation
from motionunion.clip import ClipRef, RawClip
from motionunion.errors import ClipError, SourceFormatError
from motionunion.normalise import normalise
from motionunion.sources.base import ReadOptions
from motionunion.sources.detect import recognise
from motionunion.sources.smpl_fits import SmplFits


def refs_of(path: Path) -> list[ClipRef]:
    claims = [claim for claim in recognise([path]).claims if claim.source == "smpl_fits"]
    return [ref for claim in claims for ref in SmplFits().discover(claim)]


def read(ref: ClipRef) -> RawClip:
    return SmplFits().read(ref, ReadOptions())


def test_files_like_amass_have_its_axis_and_others_are_measured(tmp_path: Path, write_tree: Callable[..., Any]) -> None:
    write_tree("smpl_fits", tmp_path)
    video, other = (read(ref) for ref in refs_of(tmp_path))
    assert (video.up, video.flags, video.labels["model"]) == ("z", ("smpl72", "video_fit"), "smpl")
    assert (other.up, other.flags, other.labels["model"]) == ("measured", (), "smplx")
    assert normalise(other).provenance["up"] == "y"
    assert set(other.face) == {"jaw", "eyes", "expression"}
    assert (video.fps, other.fps) == (30, 25)


def test_a_file_like_amass_with_another_axis_is_refused(tmp_path: Path, walk: Callable[..., Any]) -> None:
    walked = walk(30.0)
    poses = np.zeros((len(walked.root_T3), 72))
    poses[:, :66] = walked.rotvecs_T22x3.reshape(len(poses), 66)
    np.savez(tmp_path / "a.npz", poses=poses, trans=walked.root_T3, mocap_framerate=30)
    (ref,) = refs_of(tmp_path)
    with pytest.raises(ClipError) as caught:
        normalise(read(ref))
    assert caught.value.reason == "axis_disagrees"


def test_a_measured_axis_is_the_one_that_points_up(tmp_path: Path, walk: Callable[..., Any]) -> None:
    walked = walk(30.0)
    for name, turn in (("y", [0, 0, 0]), ("z", [np.pi / 2, 0, 0]), ("-y", [np.pi, 0, 0])):
        turned = rotation.from_rotvec(np.array(turn, dtype=float))
        poses = np.zeros((len(walked.root_T3), 24, 3))
        poses[:, :22] = walked.rotvecs_T22x3
        poses[:, 0] = rotation.to_rotvec(rotation.multiply(turned, walked.quats_T22x4[:, 0]))
        trans = rotation.rotate(turned, walked.root_T3)
        np.savez(tmp_path / f"up{name}.npz", poses=poses, trans=trans, mocap_framerate=30)
    found = {ref.path.stem: normalise(read(ref)).provenance["up"] for ref in refs_of(tmp_path)}
    assert found == {"upy": "y", "upz": "z", "up-y": "-y"}


def test_keys_are_of_the_folder_that_holds_a_file(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / "set" / folder).mkdir(parents=True)
        np.savez(
            tmp_path / "set" / folder / "x.npz", poses=np.zeros((3, 72)), trans=np.zeros((3, 3)), mocap_framerate=30
        )
    assert [ref.key for ref in refs_of(tmp_path)] == ["a/x", "b/x"]
    assert [ref.key for ref in refs_of(tmp_path / "set/b")] == ["b/x"]


def test_a_file_without_a_rate_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", poses=np.zeros((3, 72)), trans=np.zeros((3, 3)))
    with pytest.raises(SourceFormatError) as caught:
        read(refs_of(tmp_path)[0])
    assert caught.value.reason == "no_frame_rate"


def test_real_fits_are_all_read(real_data: Path) -> None:
    refs = [ref for name in ("amass", "amass_like", "motionx_format") for ref in refs_of(real_data / name)]
    clips = {ref.key: normalise(read(ref)) for ref in refs}
    assert len(clips) == 39 + 2
    assert {clip.fps for clip in clips.values()} == {30}
    ups = {key.partition("/")[0]: clip.provenance["up"] for key, clip in clips.items()}
    assert ups == {"asap_tram_smpl72": "z", "motionx_format": "y", "smplx": "z"}
    assert "video_fit" in clips["smplx/PROX_1_smplx_amass"].flags
