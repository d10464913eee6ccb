"""HumanAct12: joints that are brought back from behind the mirror, and names that say their length."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motionunion.clip import RawClip
from motionunion.errors import ClipError, SourceFormatError
from motionunion.ingest.run import ingest
from motionunion.normalise import normalise
from motionunion.representations import encode
from motionunion.sources.base import Folder, ReadOptions
from motionunion.sources.humanact12 import HumanAct12
from motionunion.store.store import open_store

READER = HumanAct12()
NAME = "P11G01R02F0001T0040A0402"


def read(path: Path, joints: np.ndarray) -> RawClip:
    np.save(path, joints)
    claim = READER.recognise(Folder.list(path.parent))
    assert claim is not None
    (ref,) = READER.discover(claim)
    return READER.read(ref, ReadOptions())


def test_a_clip_is_mirrored_back_once(tmp_path: Path, walk: Callable[..., Any]) -> None:
    joints = walk(20).joints_T22x3
    raw = read(tmp_path / f"{NAME}.npy", joints * [-1, 1, 1])
    clip = normalise(raw)
    np.testing.assert_allclose(clip.joints_T22x3, joints, atol=1e-6)
    assert (clip.uid, clip.group, clip.fps) == (f"humanact12/{NAME.lower()}", "humanact12/p11g01", 20)
    assert clip.labels == {"person": "P11", "action": "0402", "content": "jump"}
    assert [caption.text for caption in raw.captions] == ["a person jumps"]


def test_a_copy_that_was_mirrored_before_is_refused(tmp_path: Path, walk: Callable[..., Any]) -> None:
    raw = read(tmp_path / f"{NAME}.npy", walk(20).joints_T22x3)
    with pytest.raises(ClipError, match="left and right are exchanged"):
        normalise(raw)


def test_a_file_of_another_length_than_its_name_says_has_an_unknown_rate(
    tmp_path: Path, walk: Callable[..., Any]
) -> None:
    with pytest.raises(ClipError, match="speaks of 40") as caught:
        read(tmp_path / f"{NAME}.npy", walk(60).joints_T22x3)
    assert caught.value.reason == "unknown_frame_rate"


@pytest.mark.parametrize("shape", [(40, 23, 2), (40, 20, 3), (0, 24, 3), (40, 66)])
def test_other_arrays_are_not_called_humanact12(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = tmp_path / f"{NAME}.npy"
    np.save(path, np.zeros(shape))
    claim = READER.recognise(Folder.list(tmp_path))
    if claim is not None:
        (ref,) = READER.discover(claim)
        with pytest.raises(SourceFormatError, match="has shape"):
            READER.read(ref, ReadOptions())


def test_humanml3d_s_index_cuts_and_captions_the_whole_file(
    tmp_path: Path,
    walk: Callable[..., Any],
    write_tree: Callable[[str, Path], Any],
    write_humanml3d: Callable[..., Path],
) -> None:
    write_tree("humanact12", tmp_path / "raw" / "motion")
    name = "P01G01R01F0001T0040A0201"
    write_humanml3d(
        tmp_path / "raw" / "HumanML3D", index=[(f"humanact12/humanact12/{name}", 0, -1, "000053")],
        texts={"000053": "a man walks.#a/DET man/NOUN walk/VERB#0.0#0.0\n"}, splits={"val": ["000053"]},
    )  # fmt: skip
    ingest([tmp_path / "raw"], tmp_path / "store")
    with open_store(tmp_path / "store") as store:
        selection = store.features("hml263@20/compat")
        spans = {span.name: (span, np.asarray(values)) for span, values in zip(selection.spans, selection, strict=True)}
    span, values = spans["000053"]
    assert (span.first_frame, span.stop_frame, span.split, span.official_split) == (0, 40, "val", "val")
    assert "a man walks." in {caption.text for caption in span.captions}
    np.testing.assert_allclose(values, encode(walk(20).joints_T22x3, "hml263@20/compat", fps=20), atol=2e-4)
