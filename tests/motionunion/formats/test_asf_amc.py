"""Acclaim skeletons and motions: read as written, posed as scipy poses them, refused with the line."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from motionunion.errors import SourceFormatError
from motionunion.formats.amc import Amc, read_amc
from motionunion.formats.asf import Asf, read_asf
from motionunion.kinematics import forward_kinematics

ASF = """# a comment
:version 1.10
:name test
:units
  mass 1.0
  length 0.45
  angle deg
:documentation
  any words
:root
  order TX TY TZ RX RY RZ
  axis XYZ
  position 0 0 0
  orientation 0 0 0
:bonedata
  begin
    id 1
    name hip
    direction 0.6 -0.8 0
    length 2
    axis 0 0 0 XYZ
  end
  begin
    id 2
    name thigh
    direction 0 -1 0
    length 4
    axis 10 -20 30 XYZ
    dof rx ry rz
    limits (-160.0 20.0)
           (-70.0 70.0)
           (-60.0 70.0)
  end
  begin
    id 3
    name foot
    direction 0 0 1
    length 1
    axis 90 0 -45 XYZ
    dof rx rz
  end
:hierarchy
  begin
    root hip
    hip thigh
    thigh foot
  end
"""
AMC = """#!OML:ASF test
:FULLY-SPECIFIED
:DEGREES
1
root 1 2 3 10 20 30
thigh 40 50 60
foot 70 -4.5e-014
2
root 1.5 2.5 3.5 0 0 0
thigh 0 0 0
foot 0 90
"""


def skeleton(tmp_path: Path, text: str = ASF) -> Asf:
    path = tmp_path / "a.asf"
    path.write_text(text, newline="")
    return read_asf(path)


def motion(tmp_path: Path, text: str = AMC, asf: str = ASF) -> Amc:
    path = tmp_path / "a.amc"
    path.write_text(text, newline="")
    return read_amc(path, skeleton(tmp_path, asf))


def refusal(tmp_path: Path, *, amc: str = AMC, asf: str = ASF) -> tuple[str, int | None]:
    with pytest.raises(SourceFormatError) as caught:
        motion(tmp_path, amc, asf)
    return caught.value.reason, caught.value.line


def posed_by_scipy(amc: Amc) -> npt.NDArray[np.float64]:
    """Joints frame by frame with scipy's fixed-axis turns: no line of it is the package's."""
    axes = {"hip": [0, 0, 0], "thigh": [10, -20, 30], "foot": [90, 0, -45], "root": [0, 0, 0]}
    ends = {"hip": [1.2, -1.6, 0], "thigh": [0, -4, 0], "root": [0, 0, 0]}
    parents = {"root": None, "hip": "root", "thigh": "hip", "foot": "thigh"}
    joints = np.empty((len(amc.values_TC), 4, 3))
    for t, row in enumerate(amc.values_TC):
        turns = {"root": ("xyz", row[3:6]), "thigh": ("xyz", row[6:9]), "foot": ("xz", row[9:11])}
        world: dict[str, Rotation] = {}
        places: dict[str, npt.NDArray[np.float64]] = {}
        for j, (name, parent) in enumerate(parents.items()):
            frame = Rotation.from_euler("xyz", axes[name], degrees=True)
            order, angles = turns.get(name, ("x", [0.0]))
            own = frame * Rotation.from_euler(order, angles, degrees=True) * frame.inv()
            world[name] = own if parent is None else world[parent] * own
            places[name] = row[:3] if parent is None else places[parent] + world[parent].apply(ends[parent])
            joints[t, j] = places[name]
    return joints


def test_a_skeleton_is_read_as_joints_where_bones_begin(tmp_path: Path) -> None:
    asf = skeleton(tmp_path)
    assert asf.skeleton.names == ("root", "hip", "thigh", "foot")
    assert asf.skeleton.parents == (-1, 0, 1, 2)
    np.testing.assert_allclose(asf.skeleton.offsets_J3, [[0, 0, 0], [0, 0, 0], [1.2, -1.6, 0], [0, -4, 0]])
    assert asf.dofs == (("tx", "ty", "tz", "rx", "ry", "rz"), (), ("rx", "ry", "rz"), ("rx", "rz"))
    assert (asf.length, asf.degrees) == (0.45, True)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_motion_is_read_with_its_values_in_the_skeletons_order(tmp_path: Path, end: str) -> None:
    text = AMC.replace("thigh 40 50 60\nfoot 70 -4.5e-014", "foot 70 -4.5e-014\nthigh 40 50 60")
    text = text.replace("thigh 0 0 0\nfoot 0 90", "foot 0 90\nthigh 0 0 0").replace("\n", end)
    amc = motion(tmp_path, text)
    np.testing.assert_array_equal(
        amc.values_TC, [[1, 2, 3, 10, 20, 30, 40, 50, 60, 70, -4.5e-14], [1.5, 2.5, 3.5, 0, 0, 0, 0, 0, 0, 0, 90]]
    )
    assert amc.fps is None
    np.testing.assert_array_equal(amc.root_T3(), [[1, 2, 3], [1.5, 2.5, 3.5]])


@given(st.lists(st.lists(st.floats(-360, 360), min_size=11, max_size=11), min_size=1, max_size=5))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_joints_are_where_scipy_puts_them(tmp_path: Path, rows: list[list[float]]) -> None:
    text = ":FULLY-SPECIFIED\n:DEGREES\n"
    for number, row in enumerate(rows, start=7):
        words = [repr(value) for value in row]
        text += f"{number}\nroot {' '.join(words[:6])}\nthigh {' '.join(words[6:9])}\nfoot {' '.join(words[9:])}\n"
    amc = motion(tmp_path, text)
    ours = forward_kinematics(amc.root_T3(), amc.quats_TJ4(), amc.asf.skeleton.offsets_J3, amc.asf.skeleton.parents)
    np.testing.assert_allclose(ours, posed_by_scipy(amc), atol=1e-9)


def test_a_motion_of_many_blocks_is_read_like_a_small_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(3)
    values = random.normal(0, 50, (300, 11))
    text = ":FULLY-SPECIFIED\n:DEGREES\n"
    for number, row in enumerate(values.tolist(), start=1):
        words = [repr(value) for value in row]
        text += f"{number}\nroot {' '.join(words[:6])}\nthigh {' '.join(words[6:9])}\nfoot {' '.join(words[9:])}\n"
    for size in (1, 64, 1000, 1 << 20):
        monkeypatch.setattr("motionunion.formats.amc._BLOCK_BYTES", size)
        np.testing.assert_array_equal(motion(tmp_path, text).values_TC, values)


def test_radians_and_rates_are_read_where_a_file_states_them(tmp_path: Path) -> None:
    text = AMC.replace(":DEGREES", ":RADIANS\n:SAMPLES-PER-SECOND 59.94")
    amc = motion(tmp_path, text)
    assert amc.fps == Fraction("59.94")
    in_degrees = motion(tmp_path, AMC)
    turned = motion(tmp_path, text.replace("10 20 30", " ".join(repr(float(np.deg2rad(k))) for k in (10, 20, 30))))
    np.testing.assert_allclose(turned.quats_TJ4()[0, 0], in_degrees.quats_TJ4()[0, 0], atol=1e-12)


@pytest.mark.parametrize(
    ("old", "new", "reason", "line"),
    [
        (":version 1.10", ":verse 1.10", "not_asf", 2),
        ("# a comment\n:version 1.10", "HIERARCHY\n:version 1.10", "not_asf", 1),
        ("angle deg", "angle grad", "bad_skeleton", 7),
        ("length 0.45", "length -1", "bad_skeleton", 6),
        ("position 0 0 0", "position 0 1 0", "bad_skeleton", 13),
        ("direction 0.6 -0.8 0", "direction 0.6 -0.8", "bad_skeleton", 19),
        ("direction 0.6 -0.8 0", "direction 6 -8 0", "bad_skeleton", 19),
        ("length 4", "length nan", "bad_skeleton", 27),
        ("axis 90 0 -45 XYZ", "axis 90 0 -45 XXZ", "bad_skeleton", 39),
        ("dof rx rz", "dof rx rx", "bad_skeleton", 40),
        ("dof rx rz", "dof rx l", "bad_skeleton", 40),
        ("name foot", "name thigh", "bad_skeleton", 36),
        ("thigh foot\n  end", "thigh foot hip\n  end", "bad_skeleton", 47),
        ("    thigh foot\n", "    thigh toe\n", "bad_skeleton", 46),
        ("    thigh foot\n", "", "bad_skeleton", 46),
        (":hierarchy\n  begin\n    root hip\n    hip thigh\n    thigh foot\n  end\n", "", "truncated", 41),
    ],
)
def test_a_broken_skeleton_is_refused_with_its_line(tmp_path: Path, old: str, new: str, reason: str, line: int) -> None:
    assert ASF.count(old) == 1
    assert refusal(tmp_path, asf=ASF.replace(old, new)) == (reason, line)


@pytest.mark.parametrize(
    ("old", "new", "reason", "line"),
    [
        (":DEGREES", ":GRADIENTS", "not_amc", 3),
        (":DEGREES", ":SAMPLES-PER-SECOND -1", "bad_frame_time", 3),
        (":DEGREES", ":SAMPLES-PER-SECOND 1e999999999", "bad_frame_time", 3),
        (":DEGREES", ":SAMPLES-PER-SECOND 0", "bad_frame_time", 3),
        (":DEGREES", ":SAMPLES-PER-SECOND", "bad_frame_time", 3),
        ("1\nroot 1 2 3", "one\nroot 1 2 3", "not_amc", 4),
        (AMC[AMC.index("1\nroot") :], "\x01\x02", "not_amc", 4),
        ("thigh 40 50 60", "shank 40 50 60", "wrong_skeleton", 6),
        ("thigh 40 50 60", "thigh 40 5O 60", "bad_value", 6),
        ("thigh 40 50 60", "thigh 40 1_0 60", "bad_value", 6),
        ("thigh 40 50 60", "thigh 40 nan 60", "non_finite", 6),
        ("thigh 40 50 60", "thigh 40 50", "wrong_skeleton", 7),
        ("thigh 40 50 60", "thigh 40 50 60 70", "wrong_skeleton", 6),
        ("thigh 0 0 0", "thigh 0 0", "truncated", 12),
        ("thigh 0 0 0", "shank 0 0 0", "bad_value", 10),
        ("2\nroot 1.5", "3\nroot 1.5", "bad_value", 8),
        ("foot 0 90\n", "foot 0\n", "truncated", 12),
        ("2\nroot 1.5 2.5 3.5 0 0 0\nthigh 0 0 0\nfoot 0 90\n", "2\nroot 1.5 2.5", "truncated", 9),
        (AMC[AMC.index("1\nroot") :], "", "truncated", 4),
        (AMC[AMC.index("thigh 40") :], "", "truncated", 6),
    ],
)
def test_a_broken_motion_is_refused_with_its_line(tmp_path: Path, old: str, new: str, reason: str, line: int) -> None:
    assert AMC.count(old) == 1
    assert refusal(tmp_path, amc=AMC.replace(old, new)) == (reason, line)


def test_the_first_fault_of_a_file_is_the_one_that_is_named(tmp_path: Path) -> None:
    both = AMC.replace("thigh 40 50 60", "thigh 40 x 60").replace("thigh 0 0 0", "shank 0 0 0")
    assert refusal(tmp_path, amc=both) == ("bad_value", 6)


def test_a_skeleton_larger_than_any_is_not_read(tmp_path: Path) -> None:
    assert refusal(tmp_path, asf="#" * (5 << 20))[0] == "too_large"


def test_files_that_are_not_there_or_no_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceFormatError) as caught:
        read_asf(tmp_path / "none.asf")
    assert caught.value.reason == "unreadable"
    (tmp_path / "a.asf").write_bytes(b":version 1\n:name \xff\n")
    with pytest.raises(SourceFormatError) as caught:
        read_asf(tmp_path / "a.asf")
    assert (caught.value.reason, caught.value.line) == ("not_utf8", 2)


def test_a_skeleton_that_cannot_move_is_refused(tmp_path: Path) -> None:
    stiff = "\n".join(line for line in ASF.splitlines() if line.split()[:1] not in (["dof"], ["order"]))
    assert refusal(tmp_path, asf=stiff)[0] == "bad_skeleton"


def test_the_first_bad_number_of_the_text_is_named_whatever_order_the_skeleton_has(tmp_path: Path) -> None:
    text = AMC.replace("thigh 40 50 60\nfoot 70 -4.5e-014", "foot 7O 0\nthigh 4O 50 60")
    text = text.replace("thigh 0 0 0\nfoot 0 90", "foot 0 90\nthigh 0 0 0")
    assert refusal(tmp_path, amc=text) == ("bad_value", 6)
