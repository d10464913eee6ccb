from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from motionunion.errors import SourceFormatError
from motionunion.formats.bvh import Bvh, joint_names, read_bvh
from motionunion.kinematics import forward_kinematics

FloatArray = npt.NDArray[np.float64]
POSITION = ("Xposition", "Yposition", "Zposition")


@dataclass
class Joint:
    name: str
    parent: int
    offset: tuple[float, float, float]
    channels: tuple[str, ...]


ARM = [
    Joint("Hips", -1, (0.0, 90.0, 0.0), (*POSITION, "Zrotation", "Xrotation", "Yrotation")),
    Joint("Arm", 0, (10.0, 0.0, 0.0), ("Yrotation", "Xrotation", "Zrotation")),
    Joint("Hand", 1, (30.0, 0.0, 0.0), ("Zrotation",)),
]
ROWS = [[1, 2, 3, 10, 20, 30, 40, 50, 60, 70], [1.5, -2, 3e1, 0, 0, 0, 0, 0, 0, 90]]


def as_text(
    joints: Sequence[Joint], rows: Sequence[Sequence[float]], *, frames: int | None = None, frame_time: str = "0.0333333",
    indent: str = "\t", gap: str = " ", end: str = "\n",
) -> str:  # fmt: skip
    """A BVH file, written by a few lines of its own."""
    lines: list[str] = ["HIERARCHY"]

    def write(index: int, depth: int) -> None:
        joint, space = joints[index], indent * depth
        lines.append(f"{space}{'ROOT' if joint.parent < 0 else 'JOINT'} {joint.name}")
        lines.append(f"{space}{{")
        lines.append(f"{space}{indent}OFFSET {gap.join(map(repr, joint.offset))}")
        lines.append(f"{space}{indent}CHANNELS {gap.join([str(len(joint.channels)), *joint.channels])}")
        children = [k for k, other in enumerate(joints) if other.parent == index]
        for child in children:
            write(child, depth + 1)
        if not children:
            lines.append(f"{space}{indent}End Site")
            lines.append(f"{space}{indent}{{")
            lines.append(f"{space}{indent}{indent}OFFSET 0 1 0")
            lines.append(f"{space}{indent}}}")
        lines.append(f"{space}}}")

    write(0, 0)
    lines += ["MOTION", f"Frames:{gap}{len(rows) if frames is None else frames}", f"Frame Time:{gap}{frame_time}"]
    lines += [gap.join(repr(float(value)) for value in row) for row in rows]
    return end.join(lines) + end


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def posed_one_joint_at_a_time(bvh: Bvh) -> FloatArray:
    """World positions by scipy, frame by frame and channel by channel: no line of it is the package's."""
    joints = np.empty((len(bvh.values_TC), len(bvh.channels), 3))
    for t, row in enumerate(bvh.values_TC):
        worlds: list[FloatArray] = []
        column = 0
        for j, channels in enumerate(bvh.channels):
            local = np.eye(4)
            local[:3, 3] = bvh.skeleton.offsets_J3[j]
            for channel in channels:
                axis = "XYZ".index(channel[0])
                if channel.endswith("position"):
                    local[axis, 3] = row[column]
                else:
                    turn = Rotation.from_euler(channel[0].lower(), row[column], degrees=True)
                    local[:3, :3] = local[:3, :3] @ turn.as_matrix()
                column += 1
            parent = bvh.skeleton.parents[j]
            worlds.append(local if parent < 0 else worlds[parent] @ local)
            joints[t, j] = worlds[j][:3, 3]
    return joints


def posed(bvh: Bvh) -> FloatArray:
    translations = bvh.translations_TJ3()
    return forward_kinematics(translations[:, 0], bvh.quats_TJ4(), translations, bvh.skeleton.parents)


def test_hierarchy_channels_rate_and_values_are_read(tmp_path: Path) -> None:
    bvh = read_bvh(write(tmp_path / "a.bvh", as_text(ARM, ROWS)))
    assert bvh.skeleton.names == ("Hips", "Arm", "Hand")
    assert bvh.skeleton.parents == (-1, 0, 1)
    np.testing.assert_array_equal(bvh.skeleton.offsets_J3, [joint.offset for joint in ARM])
    assert bvh.channels == tuple(joint.channels for joint in ARM)
    assert bvh.fps == Fraction(30)
    np.testing.assert_array_equal(bvh.values_TC, ROWS)


@pytest.mark.parametrize("gap", ["  ", "\t", " \t "])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_blanks_line_ends_and_byte_order_marks_make_no_difference(
    tmp_path: Path, gap: str, end: str, mark: str
) -> None:
    bvh = read_bvh(write(tmp_path / "a.bvh", mark + as_text(ARM, ROWS, gap=gap, end=end, indent="  ")))
    np.testing.assert_array_equal(bvh.values_TC, ROWS)
    assert bvh.skeleton.names == ("Hips", "Arm", "Hand")


def test_blank_lines_and_a_missing_last_line_end_make_no_difference(tmp_path: Path) -> None:
    text = as_text(ARM, ROWS).rstrip("\n").replace("Frame Time: 0.0333333\n", "Frame Time: 0.0333333   \n\n \n")
    np.testing.assert_array_equal(read_bvh(write(tmp_path / "a.bvh", text)).values_TC, ROWS)


def test_braces_may_stand_on_the_line_of_the_name_and_names_may_hold_spaces(tmp_path: Path) -> None:
    text = as_text(ARM, ROWS).replace("JOINT Arm\n\t{", "JOINT L  Upper Arm {").replace("ROOT Hips\n{", "ROOT Hips{")
    path = write(tmp_path / "a.bvh", text)
    assert read_bvh(path).skeleton.names == ("Hips", "L Upper Arm", "Hand")


def test_channel_names_are_read_in_any_case(tmp_path: Path) -> None:
    text = as_text(ARM, ROWS).replace("Zrotation", "ZROTATION")
    assert read_bvh(write(tmp_path / "a.bvh", text)).channels[2] == ("Zrotation",)


def test_position_channels_replace_the_offset_wherever_they_stand(tmp_path: Path) -> None:
    joints = [
        Joint("Root", -1, (0.0, 0.0, 0.0), ("Zrotation", "Xrotation", "Yrotation", *POSITION)),
        Joint("Hips", 0, (0.8, 94.0, -452.0), (*POSITION, "Zrotation", "Xrotation", "Yrotation")),
        Joint("Slide", 1, (1.0, 2.0, 3.0), ("Yposition",)),
    ]
    rows = [[90, 0, 0, 5, 6, 7, 1, 90, 2, 0, 0, 0, -9]] * 2
    bvh = read_bvh(write(tmp_path / "a.bvh", as_text(joints, rows)))
    np.testing.assert_array_equal(bvh.translations_TJ3()[0], [[5, 6, 7], [1, 90, 2], [1, -9, 3]])
    # A quarter turn about z takes (1, 90, 2) to (-90, 1, 2), on top of the root.
    np.testing.assert_allclose(posed(bvh)[0, 1], [5 - 90, 6 + 1, 7 + 2], atol=1e-12)


def test_rotations_follow_the_order_of_the_channels(tmp_path: Path) -> None:
    bvh = read_bvh(write(tmp_path / "a.bvh", as_text(ARM, ROWS)))
    np.testing.assert_allclose(posed(bvh), posed_one_joint_at_a_time(bvh), atol=1e-10)


@st.composite
def motions(draw: st.DrawFn) -> tuple[list[Joint], list[list[float]]]:
    count = draw(st.integers(1, 6))
    numbers = st.floats(-400, 400, allow_subnormal=False)
    parents = [-1] + [draw(st.integers(0, k - 1)) for k in range(1, count)]
    order = depth_first(parents)
    joints = []
    for new, old in enumerate(order):
        names = draw(st.permutations(["Xrotation", "Yrotation", "Zrotation"]))
        kept: list[str] = names[: draw(st.integers(0, 3))]
        if draw(st.booleans()):
            where = draw(st.integers(0, len(kept)))
            kept = [*kept[:where], *POSITION, *kept[where:]]
        parent = -1 if parents[old] < 0 else order.index(parents[old])
        joints.append(Joint(f"joint {new}", parent, (draw(numbers), draw(numbers), draw(numbers)), tuple(kept)))
    if not any(joint.channels for joint in joints):
        joints[0].channels = ("Xrotation",)
    width = sum(len(joint.channels) for joint in joints)
    rows = draw(st.lists(st.lists(numbers, min_size=width, max_size=width), min_size=1, max_size=4))
    return joints, rows


def depth_first(parents: list[int]) -> list[int]:
    """Joints in the order in which a file writes them."""
    order: list[int] = []
    waiting = [0]
    while waiting:
        joint = waiting.pop()
        order.append(joint)
        waiting += [k for k in range(len(parents) - 1, -1, -1) if parents[k] == joint]
    return order


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(motions())
def test_what_is_written_is_read_back_and_posed_as_scipy_poses_it(
    tmp_path: Path, motion: tuple[list[Joint], list[list[float]]]
) -> None:
    joints, rows = motion
    bvh = read_bvh(write(tmp_path / "a.bvh", as_text(joints, rows)))
    assert bvh.skeleton.parents == tuple(joint.parent for joint in joints)
    np.testing.assert_array_equal(bvh.values_TC, rows)
    np.testing.assert_allclose(posed(bvh), posed_one_joint_at_a_time(bvh), atol=1e-9)


def test_plus_signs_are_numbers_though_the_fast_parser_does_not_know_them(tmp_path: Path) -> None:
    text = as_text(ARM, ROWS).replace("\n1.5 ", "\n+1.5 ")
    np.testing.assert_array_equal(read_bvh(write(tmp_path / "a.bvh", text)).values_TC, ROWS)


def test_a_file_of_many_blocks_is_read_like_a_small_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("motionunion.formats.bvh._BLOCK_BYTES", 256)
    rows = np.random.default_rng(0).normal(size=(200, 10))
    path = write(tmp_path / "a.bvh", as_text(ARM, rows.tolist()))
    np.testing.assert_array_equal(read_bvh(path).values_TC, rows)
    lines = path.read_text().split("\n")
    lines[150] = lines[150].rsplit(" ", 1)[0]
    with pytest.raises(SourceFormatError, match=r"a\.bvh:151: 9 values, expected 10"):
        read_bvh(write(path, "\n".join(lines)))


def outcome(path: Path) -> object:
    """What reading gives, or how it is refused."""
    try:
        bvh = read_bvh(path)
    except SourceFormatError as err:
        return str(err), err.reason
    return bvh.skeleton.names, bvh.fps, bvh.values_TC.tolist()


FIXED = as_text(ARM, [[1, 2, 3, 10, 20, 30, 40, 50, 60, 70]] * 40).replace(".0", ".250000")


@pytest.mark.parametrize(
    "text",
    [
        FIXED,
        FIXED.replace("\n", "\r\n"),
        FIXED.replace("\n", " \n"),
        FIXED.replace("\n1.25", "\n\n1.25"),
        FIXED.rstrip("\n"),
        FIXED + "\n \n",
        FIXED.replace("\n1.25", "\n1.25e0", 20),
        FIXED.replace("\n", "\r"),
        "\ufeff" + FIXED,
        FIXED.replace("MOTION", "MOTION" + " " * 90),
        FIXED + "nonsense\n",
        FIXED + "1.5\n",
        FIXED[: FIXED.rindex("50.25")],
        FIXED[: FIXED.rindex("\n1.25") - 2],
        FIXED.replace("Frames: 40", "Frames: 39"),
        FIXED.replace("Frames: 40", "Frames: 41"),
        FIXED.replace("60.250000 70.25", "60.250000\n70.25"),
        FIXED.replace("70.250000", "inf"),
    ],
)
def test_a_file_read_in_parts_gives_what_a_file_read_at_once_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    path = write(tmp_path / "a.bvh", text)
    whole = outcome(path)
    start = FIXED.index("MOTION")
    for head in [*range(start - 10, start + 130, 9), 700, 1000, 2000]:
        for block in (50, 300, 5000):
            monkeypatch.setattr("motionunion.formats.bvh._HEAD_BYTES", head)
            monkeypatch.setattr("motionunion.formats.bvh._BLOCK_BYTES", block)
            assert outcome(path) == whole, (head, block)


@pytest.mark.parametrize("blanks", [900, 5000])
def test_long_rows_of_blanks_are_read_in_parts_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blanks: int
) -> None:
    path = write(tmp_path / "a.bvh", FIXED.replace("70.250000", "70.250000" + " " * blanks))
    whole = outcome(path)
    for head in (400, 700, 1000, 5000):
        monkeypatch.setattr("motionunion.formats.bvh._HEAD_BYTES", head)
        assert outcome(path) == whole, head


def test_memory_does_not_grow_with_the_text(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).uniform(-180, 180, size=(50_000, 10))
    text = as_text(ARM, [], frames=len(rows)) + "".join(("%.6f " * 10 + "\n") % tuple(row) for row in rows.tolist())
    path = write(tmp_path / "a.bvh", text)
    assert len(text) > 5 << 20
    del text
    read_bvh(path)  # what is kept for the next file is no part of this one's
    tracemalloc.start()
    values = read_bvh(path).values_TC
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < values.nbytes + (2 << 20)
    np.testing.assert_array_equal(values, [[float(f"{value:.6f}") for value in row] for row in rows.tolist()])


GOOD = as_text(ARM, ROWS)
FIRST_ROW = GOOD.split("\n").index("Frame Time: 0.0333333") + 2  # counted from 1


@pytest.mark.parametrize(
    ("text", "reason", "line"),
    [
        ("", "not_bvh", 1),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "not_bvh", 1),
        ("1.0 2.0 3.0\n" * 3, "not_bvh", 1),
        (GOOD.replace("HIERARCHY\n", ""), "not_bvh", 1),
        (GOOD[: GOOD.index("MOTION")], "truncated", FIRST_ROW - 3),
        (GOOD[: GOOD.index("JOINT Hand")], "bad_hierarchy", 10),
        (GOOD[: GOOD.index("Frame Time")], "truncated", FIRST_ROW - 1),
        (GOOD[: GOOD.rindex(" ")], "truncated", FIRST_ROW + 1),
        (GOOD.replace("Frames: 2", "Frames: 2000000"), "header_lies", FIRST_ROW - 2),
        (GOOD.replace("Frames: 2", "Frames: 1"), "header_lies", FIRST_ROW - 2),
        (GOOD.replace("Frames: 2", "Frames: many"), "bad_value", FIRST_ROW - 2),
        (GOOD.replace("Frames: 2", "Frames: -2"), "bad_value", FIRST_ROW - 2),
        (GOOD.replace("Frames: 2", "Frames: 99999999999999999999"), "bad_value", FIRST_ROW - 2),
        (as_text(ARM, []), "no_frames", None),
        (GOOD.replace("0.0333333", "0"), "bad_frame_time", FIRST_ROW - 1),
        (GOOD.replace("0.0333333", "-0.03"), "bad_frame_time", FIRST_ROW - 1),
        (GOOD.replace("0.0333333", "soon"), "bad_frame_time", FIRST_ROW - 1),
        (GOOD.replace("\n1.5 ", "\n1.5 7 "), "bad_value", FIRST_ROW + 1),
        (GOOD.replace("\n1.0 ", "\n"), "bad_value", FIRST_ROW),
        (GOOD.replace("\n1.5 ", "\n1,5 "), "bad_value", FIRST_ROW + 1),
        (GOOD.replace("\n1.5 ", "\n1_5 "), "bad_value", FIRST_ROW + 1),
        (GOOD.replace("\n1.5 ", "\nnan "), "non_finite", FIRST_ROW + 1),
        (GOOD.replace("\n1.5 ", "\n-inf "), "non_finite", FIRST_ROW + 1),
        (GOOD.replace("\n1.5 ", "\n1e999 "), "non_finite", FIRST_ROW + 1),
        (GOOD.replace("OFFSET 10.0 0.0 0.0", "OFFSET [10.0, 0.0, 0.0]"), "bad_hierarchy", 8),
        (GOOD.replace("OFFSET 10.0 0.0 0.0", "OFFSET 10.0 0.0"), "bad_hierarchy", 8),
        (GOOD.replace("OFFSET 10.0 0.0 0.0", "OFFSET nan 0 0"), "bad_hierarchy", 8),
        (GOOD.replace("CHANNELS 1 Zrotation", "CHANNELS 2 Zrotation"), "bad_hierarchy", 13),
        (GOOD.replace("CHANNELS 1 Zrotation", "CHANNELS 1 Wrotation"), "bad_hierarchy", 13),
        (GOOD.replace("CHANNELS 1 Zrotation", "CHANNELS 2 Zrotation Zrotation"), "bad_hierarchy", 13),
        (GOOD.replace("JOINT Arm", "JOINT"), "bad_hierarchy", 6),
        (GOOD.replace("JOINT Arm", "BONE Arm"), "bad_hierarchy", 6),
        (GOOD.replace("MOTION", "ROOT Second\n{\nMOTION"), "bad_hierarchy", None),
        (GOOD.replace("MOTION", "}\nMOTION"), "bad_hierarchy", None),
    ],
)  # fmt: skip
def test_a_broken_file_is_refused_with_its_line(tmp_path: Path, text: str, reason: str, line: int | None) -> None:
    path = write(tmp_path / "broken.bvh", text)
    with pytest.raises(SourceFormatError) as caught:
        read_bvh(path)
    assert caught.value.reason == reason
    assert str(path) in str(caught.value)
    if line is not None:
        assert f"{path}:{line}: " in str(caught.value)


@pytest.mark.parametrize("where", ["Arm", "0.0333333", "-2.0"])
def test_text_that_is_not_utf8_is_refused_with_its_line(tmp_path: Path, where: str) -> None:
    path = tmp_path / "latin.bvh"
    path.write_bytes(GOOD.encode().replace(where.encode(), where.encode() + b"\xe9"))
    with pytest.raises(SourceFormatError) as caught:
        read_bvh(path)
    line = GOOD[: GOOD.index(where)].count("\n") + 1
    assert f"{path}:{line}: " in str(caught.value)
    if where == "Arm":
        assert caught.value.reason == "not_utf8"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(st.data())
def test_no_damage_escapes_as_anything_but_a_format_error(tmp_path: Path, data: st.DataObject) -> None:
    damaged = bytearray(GOOD.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(damaged)))
        stop = min(len(damaged), start + data.draw(st.integers(0, 12)))
        damaged[start:stop] = data.draw(
            st.one_of(st.binary(max_size=6), st.sampled_from([b"{", b"}", b"\n", b"1", b" "]))
        )
    path = tmp_path / "damaged.bvh"
    path.write_bytes(damaged)
    joint_names(bytes(damaged))
    try:
        bvh = read_bvh(path)
    except SourceFormatError:
        return
    assert np.isfinite(bvh.values_TC).all()
    assert len(bvh.values_TC) > 0
    assert bvh.quats_TJ4().shape == (*bvh.translations_TJ3().shape[:2], 4)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceFormatError, match="cannot be read"):
        read_bvh(tmp_path / "nowhere.bvh")


@pytest.mark.skipif(sys.platform != "linux", reason="address space can be limited on Linux alone")
def test_a_header_that_lies_by_a_million_allocates_nothing(tmp_path: Path) -> None:
    # 10^8 frames of 10 channels would be 8 GB; the process may have half of it, libraries included.
    path = write(tmp_path / "lies.bvh", as_text(ARM, ROWS * 50, frames=100_000_000))
    code = (
        "import sys, resource, pathlib\n"
        "resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))\n"
        "from motionunion.formats.bvh import read_bvh\n"
        "from motionunion.errors import SourceFormatError\n"
        "try:\n"
        "    read_bvh(pathlib.Path(sys.argv[1]))\n"
        "except SourceFormatError as err:\n"
        "    print(err.reason)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["header_lies"]


def test_joint_names_come_from_the_head_of_a_file() -> None:
    assert joint_names(GOOD.encode()) == ("Hips", "Arm", "Hand")
    assert joint_names(GOOD.replace("\n", "\r\n").replace("Arm", "L Arm {").encode()) == ("Hips", "L Arm", "Hand")
    assert joint_names(GOOD.encode()[:100]) is None
    assert joint_names(b"\x00\x01MOTION") is None


def real_folder(name: str) -> Path:
    root = os.environ.get("MOTIONUNION_TEST_DATA")
    if not root:
        pytest.skip("MOTIONUNION_TEST_DATA is not set: real BVH files are not here")
    return Path(root) / name


@pytest.mark.parametrize(
    ("name", "joints", "frames", "fps"),
    [
        ("parser/hand_only_lhand.bvh", 23, 1, 25),
        ("parser/rest_one_frame.bvh", 31, 1, 24),
        ("parser/Geno_bind_two_frames.bvh", 75, 2, 60),
        ("parser/rotation_first_root.bvh", 4, 4, 25),
        ("nonhuman/biped_rig_dog_walk.bvh", 61, 195, 30),
        ("nonhuman/mann_dog_D1_010_KAN01_002.bvh", 21, 155, 60),
    ],
)
def test_odd_but_whole_files_are_read(name: str, joints: int, frames: int, fps: int) -> None:
    bvh = read_bvh(real_folder("edge_cases") / name)
    assert (len(bvh.skeleton.names), len(bvh.values_TC), bvh.fps) == (joints, frames, fps)
    few = Bvh(bvh.skeleton, bvh.channels, bvh.fps, bvh.values_TC[:3])
    np.testing.assert_allclose(posed(few), posed_one_joint_at_a_time(few), atol=1e-8)


def test_positions_after_rotations_are_positions() -> None:
    bvh = read_bvh(real_folder("edge_cases") / "parser/rotation_first_root.bvh")
    # The file's first row begins: 5 -3 0 degrees, then 10 50 -20.
    np.testing.assert_array_equal(bvh.translations_TJ3()[0, 0], [10, 50, -20])


@pytest.mark.parametrize(
    ("name", "reason", "line"),
    [
        ("azure_malformed_offsets.bvh", "bad_hierarchy", 4),
        ("simple_bvh_nn_test.bvh", "not_bvh", 1),
        ("git_lfs_pointer_instead_of.npy", "not_bvh", 1),
    ],
)
def test_files_that_are_no_bvh_are_refused(name: str, reason: str, line: int) -> None:
    path = real_folder("edge_cases") / "parser" / name
    with pytest.raises(SourceFormatError, match=f"{name}:{line}: ") as caught:
        read_bvh(path)
    assert caught.value.reason == reason


def test_every_edge_case_is_named_in_these_tests() -> None:
    here = Path(__file__).read_text(encoding="utf-8")
    folder = real_folder("edge_cases")
    names = [path.name for part in ("parser", "nonhuman") for path in (folder / part).iterdir()]
    assert names
    assert [name for name in names if name not in here] == []


def test_every_real_exporter_is_posed_as_scipy_poses_it() -> None:
    folders = [folder for folder in real_folder("bvh").iterdir() if folder.is_dir()]
    assert len(folders) >= 10
    for folder in folders:
        bvh = read_bvh(min(folder.glob("*.bvh"), key=lambda path: path.stat().st_size))
        few = Bvh(bvh.skeleton, bvh.channels, bvh.fps, bvh.values_TC[:2])
        np.testing.assert_allclose(posed(few), posed_one_joint_at_a_time(few), atol=1e-8, err_msg=folder.name)


def test_joint_names_are_found_in_time_in_a_head_of_blanks() -> None:
    head = b"HIERARCHY\nROOT Hips {\nJOINT" + b" " * 200_000 + b"\rX\nMOTION\n"
    assert joint_names(head) == ("Hips",)


def test_names_keep_their_inner_blanks_and_lose_the_outer_ones() -> None:
    assert joint_names(b"HIERARCHY\r\nROOT \t Left  Arm \t{ OFFSET\r\nJOINT b \r\nMOTION\r\n") == ("Left  Arm", "b")


def test_a_line_far_longer_than_its_values_is_refused_before_it_is_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("motionunion.formats.bvh._BLOCK_BYTES", 1024)
    text = as_text(ARM, ROWS)
    with pytest.raises(SourceFormatError, match="far too long for 10 values") as caught:
        read_bvh(write(tmp_path / "a.bvh", text.rstrip("\n") + " 1" * 2000 + "\n"))
    assert (caught.value.reason, caught.value.line) == ("bad_value", text.count("\n"))


def test_a_hierarchy_longer_than_any_is_refused_before_it_is_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("motionunion.formats.bvh._MOST_HIERARCHY_BYTES", 4096)
    with pytest.raises(SourceFormatError) as caught:
        read_bvh(write(tmp_path / "a.bvh", as_text(ARM, ROWS).replace("MOTION", "\n" * 5000 + "MOTION")))
    assert caught.value.reason == "bad_hierarchy"


def test_a_short_row_is_refused_without_listing_the_lines_behind_it(tmp_path: Path) -> None:
    text = as_text(ARM, ROWS) + "1\n" * 3_000_000
    path = write(tmp_path / "a.bvh", text)
    del text
    tracemalloc.start()
    try:
        with pytest.raises(SourceFormatError) as caught:
            read_bvh(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert caught.value.reason == "bad_value"
    assert peak < 5 * path.stat().st_size
