from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from motionunion.convert import convert, rate_of
from motionunion.errors import ClipError, MissingInput, SourceFormatError, UsageError
from motionunion.representations import decode, encode
from motionunion.resample import joints_to_rate


def amass_file(folder: Path, name: str = "walk", *, frames: int = 241, fps: float = 120.0) -> Path:
    """A file of SMPL-H parameters as AMASS lays them out: somebody who stands on Z-up ground and swings the arms."""
    time = np.arange(frames)[:, None] / fps
    poses = np.zeros((frames, 156))
    poses[:, 0] = np.pi / 2  # from the body's Y to the world's Z
    poses[:, 48:54] = 0.5 * np.sin(2 * np.pi * time)
    poses[:, 66:70] = 0.2
    path = folder / f"{name}_poses.npz"
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(
        path, poses=poses, trans=np.concatenate([0.5 * time, 0 * time, 0 * time + 0.95], axis=1), betas=np.zeros(16),
        dmpls=np.zeros((frames, 8)), gender="male", mocap_framerate=fps,
    )  # fmt: skip
    return path


def test_a_file_of_parameters_becomes_features_of_joints_at_their_rate(tmp_path: Path) -> None:
    done = convert(amass_file(tmp_path / "in"), tmp_path / "out" / "walk.npy", to="hml263@20")
    features = np.load(tmp_path / "out" / "walk.npy", allow_pickle=False)
    assert (features.dtype, features.shape) == (np.float32, (40, 263))
    assert [done.fps, done.rate, done.frames, done.resampling] == [120, 20, 241, "filtered"]
    assert done.motion.startswith("amass_smplh ")
    # Half a metre a second, to the body's left: AMASS's +X.
    np.testing.assert_allclose(features[5:-5, 1] / features[5:-5, 1].mean(), 1.0, atol=0.02)
    assert set(done.round_trip.lost) == {"rotations", "frames", "gender", "hands"}


def test_features_become_features_of_another_representation(tmp_path: Path) -> None:
    convert(amass_file(tmp_path), tmp_path / "a.npy", to="ms272@30")
    done = convert(tmp_path / "a.npy", tmp_path / "b.npy", to="hml263@20/compat", features_of="ms272@30")
    assert [done.motion, done.fps, done.frames, done.dims] == ["features ms272@30", 30, 61, 263]
    joints = decode(np.load(tmp_path / "a.npy", allow_pickle=False), "ms272@30")
    direct = encode(joints_to_rate(joints, 30, 20), "hml263@20/compat", fps=20)
    # Rotations are resampled and posed here, positions there.
    np.testing.assert_allclose(np.load(tmp_path / "b.npy", allow_pickle=False)[:, :67], direct[:, :67], atol=5e-3)


def test_a_rate_that_the_id_does_not_say_can_be_declared(tmp_path: Path) -> None:
    convert(amass_file(tmp_path, fps=60.0), tmp_path / "a.npy", to="joints22@60")
    done = convert(
        tmp_path / "a.npy", tmp_path / "b.npy", to="joints22@30", features_of="joints22@30", fps=Fraction(60)
    )
    assert [done.fps, done.frames, done.round_trip.rows] == [60, 241, 121]


def test_shipped_features_are_taken_bit_for_bit(tmp_path: Path) -> None:
    convert(amass_file(tmp_path / "amass", frames=601), tmp_path / "made.npy", to="hml263@20/compat")
    shipped = np.load(tmp_path / "made.npy", allow_pickle=False) + np.float32(1e-3)
    vectors = tmp_path / "set" / "new_joint_vecs"
    vectors.mkdir(parents=True)
    np.save(vectors / "000001.npy", shipped)
    done = convert(tmp_path / "set", tmp_path / "again.npy", to="hml263@20/compat")
    assert done.shipped
    np.testing.assert_array_equal(np.load(tmp_path / "again.npy", allow_pickle=False), shipped)
    assert not convert(tmp_path / "set", tmp_path / "fixed.npy", to="hml263@20").shipped


def test_one_of_several_motions_is_chosen_by_its_key(tmp_path: Path) -> None:
    for name in ("one", "two"):
        amass_file(tmp_path / "in", name, frames=121 if name == "one" else 241)
    with pytest.raises(UsageError, match="holds 2 motions; choose one with --key: ") as caught:
        convert(tmp_path / "in", tmp_path / "out.npy", to="joints22@20")
    key = next(word for word in str(caught.value).replace(",", " ").split() if "two" in word)
    assert convert(tmp_path / "in", tmp_path / "out.npy", to="joints22@20", key=key).frames == 241
    with pytest.raises(UsageError, match="no such motion"):
        convert(tmp_path / "in", tmp_path / "other.npy", to="joints22@20", key="three")


def test_nothing_is_replaced_unless_asked_for(tmp_path: Path) -> None:
    path, out = amass_file(tmp_path), tmp_path / "out.npy"
    out.write_bytes(b"mine")
    with pytest.raises(UsageError, match="exists already"):
        convert(path, out, to="joints22@20")
    assert out.read_bytes() == b"mine"
    convert(path, out, to="joints22@20", overwrite=True)
    assert np.load(out, allow_pickle=False).shape == (41, 66)


def test_joints_alone_are_no_rotations(tmp_path: Path) -> None:
    convert(amass_file(tmp_path), tmp_path / "a.npy", to="joints22@30")
    with pytest.raises(ClipError, match="needs rotations") as caught:
        convert(tmp_path / "a.npy", tmp_path / "b.npy", to="ms272@30", features_of="joints22@30")
    assert caught.value.reason == "no_rotations"
    assert not (tmp_path / "b.npy").exists()


def test_features_of_another_width_or_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "wide.npy", np.zeros((5, 263), dtype=np.float32))
    with pytest.raises(SourceFormatError, match="is --from right"):
        convert(tmp_path / "wide.npy", tmp_path / "b.npy", to="joints22@20", features_of="ms272@30")
    np.save(tmp_path / "nan.npy", np.full((5, 263), np.nan, dtype=np.float32))
    with pytest.raises(ClipError, match="not numbers"):
        convert(tmp_path / "nan.npy", tmp_path / "b.npy", to="joints22@20", features_of="hml263@20")


def test_what_is_too_short_or_slow_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(ClipError) as caught:
        convert(amass_file(tmp_path / "short", frames=4), tmp_path / "b.npy", to="hml263@20")
    assert caught.value.reason == "too_short"
    with pytest.raises(ClipError) as caught:
        convert(amass_file(tmp_path / "slow", fps=15.0), tmp_path / "b.npy", to="hml263@20/compat-stride")
    assert caught.value.reason == "too_slow"


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"to": "ms272@31"}, UsageError, "not known"),
        ({"to": "hml263@20", "out": "out.npz"}, UsageError, "ends so"),
        ({"to": "hml263@20", "fps": Fraction(30)}, UsageError, "--from"),
        ({"to": "hml263@20", "features_of": "hml263@20"}, MissingInput, "no such file"),
        ({"to": "hml263@20"}, MissingInput, "no such file or folder"),
    ],
)
def test_a_wrong_call_is_told_what_is_wrong(
    tmp_path: Path, arguments: dict[str, object], error: type[Exception], words: str
) -> None:
    given = {"out": tmp_path / str(arguments.get("out", "out.npy"))}
    with pytest.raises(error, match=words):
        convert(tmp_path / "absent", **(arguments | given))  # type: ignore[arg-type]


def test_rates_are_written_as_people_write_them() -> None:
    assert [rate_of(text) for text in ("60", "59.94", "60000/1001")] == [60, Fraction(2997, 50), Fraction(60000, 1001)]
    for text in ("0", "-30", "1/0", "fast", "1e9", "1/1000", "1e-9"):
        with pytest.raises(UsageError, match="no frame rate"):
            rate_of(text)


@pytest.mark.parametrize(
    ("fps", "to", "said"),
    [
        (20.0, "hml263@20", "the file's own"),
        (120.0, "hml263@20", "low-passed, then taken at exact times"),
        (15.0, "hml263@20", "interpolated at exact times"),
        (120.0, "hml263@20/compat", "one frame in 6"),
        (59.9999886, "hml263@20/compat", "one frame in 3"),
        (50.0, "hml263@20/compat", "interpolated at exact times"),
        (120.0, "hml263@20/compat-stride", "one frame in 6"),
        (30.0, "hml263@20/compat-stride", "every frame, which is 30 fps"),
        (59.9999886, "hml263@20/compat-stride", "one frame in 2, which is 30 fps"),
    ],
)
def test_what_was_done_to_come_to_the_rate_is_said_as_it_was(tmp_path: Path, fps: float, to: str, said: str) -> None:
    done = convert(amass_file(tmp_path, frames=round(2 * fps), fps=fps), tmp_path / "out.npy", to=to)
    assert done.resampled == said


def test_what_is_odd_about_the_motion_is_said(tmp_path: Path) -> None:
    path = amass_file(tmp_path / "walk")
    done = convert(path, tmp_path / "a.npy", to="joints22@20")
    assert done.flags == ("frozen_hands",)
    assert done.to_json()["flags"] == ["frozen_hands"]
    with np.load(path, allow_pickle=False) as known:
        values = dict(known)
    since = (np.arange(72) - 35.5) / 120
    values["trans"][60:132, 2] += 0.5 * 9.81 * (0.3**2 - since**2)
    (tmp_path / "jump").mkdir()
    np.savez(tmp_path / "jump" / "a_poses.npz", **values | {"mocap_framerate": 60.0})
    done = convert(tmp_path / "jump", tmp_path / "b.npy", to="joints22@20")
    assert done.flags[0] == "frozen_hands"
    assert done.flags[1].startswith("fps_suspect (1")
    assert done.flags[1].endswith(" by free fall, 1 jump)")
