"""What lies at a path: claims, sidecars, and a reason for every file that nobody reads."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motionunion.errors import MissingInput, SourceFormatError, UsageError
from motionunion.sources import SOURCES
from motionunion.sources.base import Folder, ReadOptions
from motionunion.sources.detect import Detection, recognise

Writer = Callable[..., Path]


def claimed(found: Detection) -> dict[str, set[str]]:
    """File names by source."""
    names: dict[str, set[str]] = {}
    for claim in found.claims:
        names.setdefault(claim.source, set()).update(path.name for path in claim.files)
    return names


def reason_of(found: Detection, name: str) -> str:
    return next(skip.reason for skip in found.skipped if skip.path.name == name)


def plain_files(folder: Path) -> int:
    """How many files there are that detection must account for."""
    hidden = (
        path
        for path in folder.rglob("*")
        if path.is_file() and any(p.startswith(".") for p in path.relative_to(folder).parts)
    )
    return sum(path.is_file() for path in folder.rglob("*")) - sum(1 for _ in hidden)


def accounted(found: Detection, folder: Path) -> int:
    """How many files it does account for; ids that are counted inside a claimed folder are none."""
    in_claims = sum(len(claim.files) + len(claim.sidecars) for claim in found.claims)
    return (
        in_claims
        + len(found.archives)
        + sum(
            skip.count
            for skip in found.skipped
            if "ids without" not in skip.reason and "without features" not in skip.reason
        )
    )


@pytest.fixture
def amass(tmp_path: Path, write_smplh: Writer, write_smplx: Writer, write_humanml3d: Writer) -> Path:
    """An AMASS folder with both releases in it and HumanML3D's annotations beside the subsets."""
    root = tmp_path / "amass"
    write_smplh(root / "CMU/01/01_01_poses.npz")
    (root / "CMU/01/01_01_poses.txt").write_text("a person walks\n")
    write_smplh(root / "KIT/3/kick_poses.npz")
    write_smplx(root / "CMU_X/CMU/01/01_02_stageii.npz")
    np.savez(root / "CMU/01/shape.npz", betas=np.zeros(16), gender="male")
    np.savez(root / "CMU/01/neutral_stagei.npz", betas=np.zeros(16), markers_latent=np.zeros((41, 3)))
    (root / "CMU/LICENSE.txt").write_text("non-commercial")
    (root / "CMU/01/preview.png").write_bytes(b"\x89PNG")
    (root / "notes.txt").write_text("mine")
    write_humanml3d(root / "HumanML3D", index=[("KIT/3/kick_poses", 0, 100, "000002")],
                    texts={"000002": "a kick##0.0#0.0\n"}, splits={"train": ["000002"]})  # fmt: skip
    return root


def test_one_folder_may_hold_several_sources(amass: Path) -> None:
    found = recognise([amass])
    assert claimed(found) == {
        "humanml3d": {"index.csv", "000002.txt", "train.txt"},
        "amass_smplh": {"01_01_poses.npz", "kick_poses.npz"},
        "amass_smplx": {"01_02_stageii.npz"},
    }
    assert [claim.sidecars for claim in found.claims if claim.sidecars] == [(amass / "CMU/01/01_01_poses.txt",)]
    assert "shape without motion" in reason_of(found, "01")
    assert next(skip.count for skip in found.skipped if "shape without motion" in skip.reason) == 2
    assert reason_of(found, "LICENSE.txt") == "licence or credits"
    assert reason_of(found, "preview.png") == "picture or film"
    assert "captions import" in reason_of(found, "notes.txt")
    assert accounted(found, amass) == plain_files(amass)


def test_the_parent_folder_and_the_folder_itself_give_the_same_refs(amass: Path) -> None:
    def refs(path: Path) -> set[tuple[str, str, str]]:
        claims = recognise([path]).claims
        return {(ref.source, ref.key, ref.uid) for claim in claims for ref in SOURCES[claim.source].discover(claim)}

    assert refs(amass) == refs(amass.parent)
    assert ("amass_smplh", "CMU/01/01_01_poses", "amass/cmu/01/01_01") in refs(amass)


def test_a_path_given_twice_or_inside_another_is_read_once(amass: Path) -> None:
    assert recognise([amass, amass, amass / "CMU"]).claims == recognise([amass]).claims


def test_a_single_file_is_a_path_too(amass: Path) -> None:
    found = recognise([amass / "KIT/3/kick_poses.npz"])
    (claim,) = found.claims
    assert claim.files == (amass / "KIT/3/kick_poses.npz",)
    assert [ref.key for ref in SOURCES[claim.source].discover(claim)] == ["KIT/3/kick_poses"]
    assert found.skipped == ()
    sidecar = amass / "KIT/3/kick_poses.txt"
    sidecar.write_text("a person kicks\n")
    (claim,) = recognise([amass / "KIT/3/kick_poses.npz"]).claims
    assert (claim.files, claim.sidecars) == ((amass / "KIT/3/kick_poses.npz",), (sidecar,))


def test_a_single_file_of_features_is_read_with_what_lies_around_it(tmp_path: Path, write_humanml3d: Writer) -> None:
    ids = ["000001", "000002"]
    root = write_humanml3d(
        tmp_path / "h", features=dict.fromkeys(ids, np.zeros((4, 263))), texts={"000002": "a##0.0#0.0\n"}
    )
    (claim,) = recognise([root / "new_joint_vecs/000002.npy"]).claims
    assert claim.root == root
    assert [ref.key for ref in SOURCES["humanml3d"].discover(claim)] == ["000002"]


def test_a_damaged_archive_is_claimed_so_that_it_is_refused_and_not_passed_over(amass: Path) -> None:
    path = amass / "KIT/3/kick_poses.npz"
    path.write_bytes(path.read_bytes()[:100])
    cut = amass / "CMU_X/CMU/01/01_02_stageii.npz"
    cut.write_bytes(cut.read_bytes()[:-30])
    names = claimed(recognise([amass]))
    assert "kick_poses.npz" in names["amass_smplh"]
    assert "01_02_stageii.npz" in names["amass_smplx"]


def test_naming_the_source_takes_files_that_are_not_recognised(tmp_path: Path) -> None:
    np.savez(tmp_path / "odd.npz", something=np.zeros(3))
    (tmp_path / "notes.md").write_text("x")
    with pytest.raises(MissingInput):
        recognise([tmp_path])
    found = recognise([tmp_path], source="amass_smplh")
    assert claimed(found) == {"amass_smplh": {"odd.npz"}}
    assert reason_of(found, "notes.md") == "documentation"


def test_naming_the_source_leaves_the_others_out(amass: Path) -> None:
    found = recognise([amass], source="humanml3d")
    assert set(claimed(found)) == {"humanml3d"}
    assert accounted(found, amass) == plain_files(amass)


def test_an_unknown_source_is_a_wrong_call(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="amass_smplh"):
        recognise([tmp_path], source="amas")
    with pytest.raises(UsageError, match="no path"):
        recognise([])


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="nowhere"):
        recognise([tmp_path / "nowhere"])


@pytest.mark.parametrize("files", [[], ["readme.md", "a.png"]])
def test_a_folder_without_motion_says_what_was_looked_for_and_what_is_there(tmp_path: Path, files: list[str]) -> None:
    for name in files:
        (tmp_path / name).write_text("x")
    with pytest.raises(MissingInput, match="found no motion") as caught:
        recognise([tmp_path])
    assert "amass_smplh" in str(caught.value)
    assert ("picture" in str(caught.value)) == bool(files)


def test_links_that_lead_in_circles_end(amass: Path) -> None:
    plain = recognise([amass]).claims
    (amass / "CMU/up").symlink_to(amass)
    (amass / "CMU/itself").symlink_to(amass / "CMU/itself")
    (amass / "broken").symlink_to(amass / "nowhere")
    assert recognise([amass]).claims == plain


def test_what_cannot_be_read_is_named_and_the_rest_is_found(amass: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (amass / "x.bvh").write_text("HIERARCHY")
    closed = {amass / "CMU/01/01_01_poses.npz", amass / "x.bvh"}
    opens, lists = Path.open, Path.iterdir

    def open_or_refuse(path: Path, *args: Any, **kwargs: Any) -> Any:
        if path in closed:
            raise PermissionError(13, "Permission denied", str(path))
        return opens(path, *args, **kwargs)

    def list_or_refuse(path: Path) -> Any:
        if path == amass / "CMU_X":
            raise PermissionError(13, "Permission denied", str(path))
        return lists(path)

    monkeypatch.setattr(Path, "open", open_or_refuse)
    monkeypatch.setattr(Path, "iterdir", list_or_refuse)
    found = recognise([amass])
    assert claimed(found)["amass_smplh"] == {"01_01_poses.npz", "kick_poses.npz"}
    assert reason_of(found, "CMU_X") == "folder that cannot be read (Permission denied)"
    assert reason_of(found, "x.bvh") == "file that cannot be read (Permission denied)"
    with pytest.raises(MissingInput, match="Permission denied"):
        recognise([amass / "CMU_X"])
    claim = next(claim for claim in found.claims if claim.source == "amass_smplh")
    ref = next(ref for ref in SOURCES["amass_smplh"].discover(claim) if ref.path in closed)
    with pytest.raises(SourceFormatError) as caught:
        SOURCES["amass_smplh"].read(ref, ReadOptions())
    assert caught.value.reason == "unreadable"


def test_a_folder_that_goes_away_while_others_are_listed_costs_nothing_else(
    amass: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = recognise([amass])
    (amass / "passing").mkdir()
    lists = Path.iterdir

    def list_late(path: Path) -> Any:
        if path.name == "passing":
            path.rmdir()
        return lists(path)

    monkeypatch.setattr(Path, "iterdir", list_late)
    found = recognise([amass])
    assert found.claims == before.claims
    assert reason_of(found, "passing") == "folder that cannot be read (No such file or directory)"


def test_names_that_are_not_text_are_passed_over_with_a_reason(amass: Path) -> None:
    before = recognise([amass])
    odd = Path(os.fsdecode(os.fsencode(amass / "BMLmovi") + b"\xff"))
    try:
        odd.mkdir()
    except OSError:
        pytest.skip("this file system takes no such name")
    (odd / "a_poses.npz").write_bytes(b"")
    (amass / os.fsdecode(b"\xfe_poses.npz")).write_bytes(b"")
    found = recognise([amass])
    assert found.claims == before.claims
    assert [skip.count for skip in found.skipped if "not UTF-8" in skip.reason] == [2]
    with pytest.raises(MissingInput, match="not UTF-8"):
        recognise([odd])


def test_hidden_files_are_left_out(amass: Path, write_smplh: Writer) -> None:
    plain = recognise([amass])
    write_smplh(amass / ".cache/x_poses.npz")
    (amass / "CMU/.DS_Store").write_bytes(b"x")
    assert recognise([amass]) == plain


def test_a_bvh_of_an_unknown_skeleton_is_named_by_its_joints(amass: Path) -> None:
    (amass / "x.bvh").write_text("HIERARCHY\nROOT Trunk\n{\nOFFSET 0 0 0\nJOINT Tail\n{\n")
    (amass / "y.bvh").write_text("MOTION\nFrames: 3\n")
    found = recognise([amass])
    assert "2 joints: Trunk, Tail" in reason_of(found, "x.bvh")
    assert reason_of(found, "y.bvh") == "BVH without a readable hierarchy"


def test_features_outside_a_humanml3d_folder_say_where_they_belong(amass: Path) -> None:
    np.save(amass / "clip.npy", np.zeros((5, 263)))
    (amass / "pointer.npy").write_text("version https://git-lfs.github.com/spec/v1\n")
    found = recognise([amass])
    assert "new_joint_vecs" in reason_of(found, "clip.npy")
    assert reason_of(found, "pointer.npy") == "npy file that cannot be read: git lfs pointer"


def test_heads_are_read_once_and_no_longer_than_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.bvh").write_bytes(b"HIERARCHY")
    folder = Folder.list(tmp_path)
    assert folder.head("a.bvh", 4) == b"HIER"
    (tmp_path / "a.bvh").unlink()
    assert folder.head("a.bvh", 3) == b"HIE"
    assert folder.with_suffix(".BVH".lower()) == ("a.bvh",)


def test_every_file_of_the_real_folder_is_claimed_or_has_a_reason(real_data: Path) -> None:
    found = recognise([real_data])
    assert accounted(found, real_data) == plain_files(real_data)
    by_source = Counter[str]()
    for claim in found.claims:
        by_source[claim.source] += len(claim.files)
    assert by_source["humanml3d"] == 94
    assert by_source["amass_smplh"] == 3
    assert by_source["smpl_fits"] == 39 + 2
    assert by_source["aistpp"] == 4 + 1
    assert by_source["behave"] == 1
    assert by_source["amass_smplx"] == 1
    reasons = {str(skip.path.relative_to(real_data)): skip.reason for skip in found.skipped}
    assert by_source["mixamo"] == 4
    assert "not known" in reasons["edge_cases/nonhuman/biped_rig_dog_walk.bvh"]
    assert "may hold positions" in reasons["humanml3d/protocol_pair/004822_protocol.npz"]
    assert [archive.key for archive in found.archives] == sorted(
        path.relative_to(real_data).as_posix() for path in (real_data / "humanml3d/finemotion").glob("*.zip")
    )
    assert "263 features" in reasons["humanml3d_like/mcm_ldm_style_test_feats"]
    in_kit = {claim.source for claim in found.claims if claim.root.is_relative_to(real_data / "kitml")}
    assert in_kit == {"amass_annotations"}
