"""What was made by a program says so in the store, however it came there."""

from __future__ import annotations

from pathlib import Path

from motionunion.clip import Annotation, Caption, ClipRef
from motionunion.ingest.synthetic import is_synthetic, marked


def test_a_marker_beside_or_above_the_file_counts_whatever_folder_was_given(tmp_path: Path) -> None:
    path = tmp_path / "amass" / "subset" / "a.npz"
    path.parent.mkdir(parents=True)
    (path.parent / "below").mkdir()
    (path.parent / "below" / "SYNTHETIC.txt").touch()
    assert not is_synthetic(path)
    (tmp_path / "amass" / "SYNTHETIC.txt").touch()
    assert is_synthetic(path)
    assert not is_synthetic(tmp_path / "recorded" / "a.npz")


def test_captions_of_synthetic_annotations_are_not_called_human() -> None:
    ref = ClipRef(source="humanml3d", key="1", uid="humanml3d/1", path=Path("1.txt"), root=Path())
    said = Annotation(ref=ref, captions=(Caption(uid="amass/a", text="a walk", layer="humanml3d"),))
    assert [caption.generator for caption in marked(said).captions] == ["synthetic"]
