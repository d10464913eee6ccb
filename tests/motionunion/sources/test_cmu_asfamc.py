"""CMU's asf and amc files: whose they are, their rates, and that the real ones move as the same takes' features do."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from motionunion import representations, rotation
from motionunion.clip import RawClip
from motionunion.errors import SourceFormatError
from motionunion.normalise import normalise
from motionunion.sources import SOURCES, ReadOptions
from motionunion.sources.base import Folder
from motionunion.sources.cmu_takes import INDEX, take_of
from motionunion.sources.detect import recognise

SOURCE = SOURCES["cmu_asfamc"]


@pytest.fixture
def tree(tmp_path: Path, write_tree: Callable[[str, Path], Any]) -> Path:
    write_tree("cmu_asfamc", tmp_path)
    return tmp_path / "subjects"


def read(path: Path) -> RawClip:
    (claim,) = recognise([path]).claims
    (ref,) = SOURCE.discover(claim)
    raw = SOURCE.read(ref, ReadOptions())
    assert isinstance(raw, RawClip)
    return raw


def test_takes_have_amass_addresses_and_their_own_rates(tree: Path) -> None:
    (claim,) = recognise([tree]).claims
    raws = {ref.key: SOURCE.read(ref, ReadOptions()) for ref in SOURCE.discover(claim)}
    assert {key: (raw.ref.uid, raw.fps) for key, raw in raws.items() if isinstance(raw, RawClip)} == {
        "01_05": ("amass/cmu/01/01_05", Fraction(120)),
        "01_07": ("amass/cmu/01/01_07", Fraction(120)),
        "60_01": ("amass/cmu/60/60_01", Fraction(60)),
    }


@pytest.mark.parametrize(
    ("take", "fps"),
    [("62_11", 60), ("74_08", 60), ("74_09", 120), ("88_03", 120), ("88_05", 60), ("90_08", 60), ("143_42", 60), ("144_01", 120)],
)  # fmt: skip
def test_rates_are_those_of_the_manifest(take: str, fps: int) -> None:
    found = take_of(f"{take}_whatever")
    assert found is not None
    assert found.fps == fps


def test_a_rate_in_the_file_comes_first(tree: Path) -> None:
    path = tree / "01" / "01_05.amc"
    path.write_text(path.read_text().replace(":DEGREES", ":DEGREES\n:SAMPLES-PER-SECOND 30"))
    assert read(tree / "01" / "01_05.amc" if path.is_file() else path).fps == 30


def test_the_only_skeleton_of_a_folder_serves_under_any_name(tree: Path) -> None:
    (tree / "01" / "01_07.amc").unlink()
    (tree / "01" / "01.asf").rename(tree / "01" / "actor.asf")
    assert len(read(tree / "01").inputs) == 2


def test_a_motion_without_its_skeleton_says_which_one_it_needs(tree: Path) -> None:
    (tree / "60" / "60.asf").rename(tree / "60" / "1.asf")
    (tree / "60" / "2.asf").write_bytes((tree / "60" / "1.asf").read_bytes())
    with pytest.raises(SourceFormatError, match=r"60\.asf into the same folder") as caught:
        read(tree / "60")
    assert caught.value.reason == "no_skeleton"


def test_a_motion_of_no_take_has_no_rate_unless_the_file_says_so(tree: Path) -> None:
    path = (tree / "60" / "60_01.amc").rename(tree / "60" / "dance.amc")
    assert SOURCE.recognise(Folder.list(tree / "60")) is None
    (claim,) = recognise([tree / "60"], "cmu_asfamc").claims
    (ref,) = SOURCE.discover(claim)
    with pytest.raises(SourceFormatError) as caught:
        SOURCE.read(ref, ReadOptions())
    assert caught.value.reason == "unknown_frame_rate"
    path.write_text(":SAMPLES-PER-SECOND 60\n" + path.read_text())
    raw = SOURCE.read(ref, ReadOptions())
    assert isinstance(raw, RawClip)
    assert raw.fps == 60


def test_bones_of_another_skeleton_are_refused(tree: Path) -> None:
    path = tree / "60" / "60.asf"
    path.write_text(path.read_text().replace("lthumb", "lpinky"))
    with pytest.raises(SourceFormatError) as caught:
        read(tree / "60")
    assert caught.value.reason == "unknown_skeleton"


def test_descriptions_come_from_the_index_text(tree: Path) -> None:
    (tree / INDEX).write_text("header\n60_01\tsalsa dance\n01_05\tUnknown\n")
    (caption,) = read(tree / "60").captions
    assert (caption.uid, caption.text, caption.generator) == ("amass/cmu/60/60_01", "salsa dance", "human")


def test_an_index_that_is_no_text_costs_the_caption_alone(tree: Path) -> None:
    (tree / INDEX).write_bytes(b"60_01\t\xff\xfe\n")
    raw = read(tree / "60")
    assert raw.captions == ()
    assert len(raw.faults) == 1


@pytest.mark.parametrize(("take", "features", "start"), [("01_05", "012388", 475), ("01_07", "010248", 231)])
def test_real_takes_move_as_the_features_of_the_same_take(
    real_data: Path, take: str, features: str, start: int
) -> None:
    """HumanML3D counts in frames of 20 a second; its features begin at the origin, facing +Z.

    Two programs fitted two skeletons to the same markers, and their roots are not the same point of the body: the asf one lies some
    12 cm higher and further back than SMPL's pelvis. A point that is fixed to our pelvis goes the way of theirs.
    """
    motion = real_data / "cmu_asfamc" / "01" / f"{take}.amc"
    ready_made = real_data / "humanml3d" / "new_joint_vecs" / f"{features}.npy"
    if not (motion.is_file() and ready_made.is_file()):
        pytest.skip(f"the data folder has not both {motion.name} and {ready_made.name}")
    clip = normalise(read(motion))
    assert clip.root_T3 is not None
    assert clip.rotvecs_T22x3 is not None
    theirs = representations.decode([np.load(ready_made)], "hml263@20/compat")[0][:, 0].astype(np.float64)
    theirs -= theirs.mean(axis=0)
    part = slice(6 * start, 6 * (start + len(theirs)), 6)
    ours = clip.root_T3[part].astype(np.float64)
    ours -= ours.mean(axis=0)
    laid, along = laid_over(ours, theirs)
    assert 0.8 < abs(along) < 1.25
    assert np.corrcoef(laid[:, 1], theirs[:, 1])[0, 1] > 0.999
    assert cosine(laid, theirs) > 0.998
    # (T, 3, 3): where the pelvis' own three axes point.
    axes = rotation.rotate(rotation.from_rotvec(clip.rotvecs_T22x3[part, :1]), np.eye(3))
    axes -= axes.mean(axis=0)
    point = np.zeros(3)
    for _ in range(5):  # turn and size depend on the point, and it on them
        laid, along = laid_over(ours + point @ axes, theirs)
        turn = rotation.from_rotvec([0.0, -np.angle(along), 0.0])
        seen = abs(along) * rotation.rotate(turn, axes)
        point += np.linalg.lstsq(seen.swapaxes(1, 2).reshape(-1, 3), (theirs - laid).ravel(), rcond=None)[0]
    laid, _ = laid_over(ours + point @ axes, theirs)
    assert np.linalg.norm(point) < 0.15
    assert cosine(laid, theirs) > 0.999
    assert all(np.corrcoef(laid[:, axis], theirs[:, axis])[0, 1] > 0.998 for axis in range(3))


def laid_over(path: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], complex]:
    """A path (T, 3) turned about the vertical and scaled to be most like another, both centred; and the turn and scale.

    Their body is scaled to one leg length. Seen from above, paths are complex numbers.
    """
    mine, yours = (each[:, 0] + 1j * each[:, 2] for each in (path, other))
    along = complex(np.vdot(mine, yours) / np.vdot(mine, mine).real)
    turn = rotation.from_rotvec([0.0, -np.angle(along), 0.0])
    return abs(along) * rotation.rotate(turn, path), along


def cosine(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> float:
    """Correlation of two centred paths, each as one vector."""
    return float(np.sum(one * other) / np.linalg.norm(one) / np.linalg.norm(other))


def test_real_files_are_people_of_their_size(real_data: Path) -> None:
    (claim,) = recognise([real_data / "cmu_asfamc"]).claims
    refs = list(SOURCE.discover(claim))
    assert refs
    for ref in refs:
        raw = SOURCE.read(ref, ReadOptions())
        assert isinstance(raw, RawClip)
        clip = normalise(raw)
        assert clip.fps == 120
        assert clip.fk_error_m is not None
        assert clip.fk_error_m < 0.025, ref.key
        assert clip.rotvecs_T22x3 is not None
        rotvecs = np.median(clip.rotvecs_T22x3, axis=0)
        assert rotvecs[4, 0] > 0, "knees bend forward"
        assert rotvecs[5, 0] > 0
        assert rotvecs[18, 1] < 0 < rotvecs[19, 1], "elbows bend to the front"
