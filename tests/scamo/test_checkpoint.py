from __future__ import annotations

from pathlib import Path

import pytest
import torch

from motionunion.errors import MissingInput, SourceFormatError
from scamo.checkpoint import load_state, load_tensors, save_state, save_tensors, write_whole


def test_tensors_and_header_come_back(tmp_path):
    shared = torch.arange(6.0).reshape(2, 3)
    path = tmp_path / "new" / "model.safetensors"
    save_tensors(path, {"one": shared, "same": shared, "turned": shared.T}, {"model": {"layers": 2}})
    tensors, header = load_tensors(path)
    assert torch.equal(tensors["one"], shared)
    assert torch.equal(tensors["turned"], shared.T)
    assert header["model"] == {"layers": 2}


def test_the_same_weights_give_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        save_tensors(tmp_path / name, {"x": torch.ones(2), "w": torch.zeros(1)}, {"b": 1, "a": [1, 2]})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_missing_file_names_the_command_that_makes_one(tmp_path):
    with pytest.raises(MissingInput, match="scamo train-ar"):
        load_tensors(tmp_path / "model.safetensors")


def test_a_truncated_file_is_called_damaged(tmp_path):
    path = tmp_path / "model.safetensors"
    save_tensors(path, {"one": torch.ones(50)}, {})
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(SourceFormatError, match="is damaged"):
        load_tensors(path)


def test_a_header_that_lies_about_its_size_is_refused_without_allocating(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes((2**40).to_bytes(8, "little") + b"{}")
    with pytest.raises(SourceFormatError, match="is damaged"):
        load_tensors(path)


def test_a_file_of_somebody_else_is_refused(tmp_path):
    from safetensors.torch import save_file

    save_file({"one": torch.ones(2)}, tmp_path / "other.safetensors")
    with pytest.raises(SourceFormatError, match="no `scamo` header"):
        load_tensors(tmp_path / "other.safetensors")


def test_state_comes_back_and_absence_is_none(tmp_path):
    path = tmp_path / "state.pt"
    assert load_state(path) is None
    save_state(path, {"step": 3, "weights": {"one": torch.ones(2)}, "rows": [{"ce": 1.5}]})
    state = load_state(path)
    assert state is not None
    assert state["rows"] == [{"ce": 1.5}]
    assert torch.equal(state["weights"]["one"], torch.ones(2))


def test_a_write_that_fails_leaves_the_old_file_and_no_litter(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")

    def fail(temporary):
        temporary.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_whole(path, fail)
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("harm", ["empty", "cut", "flipped", "no zip", "no state"])
def test_a_damaged_state_is_named(tmp_path: Path, harm: str) -> None:
    path = tmp_path / "state.pt"
    save_state(path, {"step": 3, "weights": {"one": torch.ones(200)}})
    data = bytearray(path.read_bytes())
    if harm == "flipped":
        data[data.index(bytes(torch.ones(200).numpy().data)) + 9] ^= 1
    if harm == "no state":
        torch.save([1, 2], path)
    else:
        path.write_bytes({"empty": b"", "cut": data[:-200], "flipped": data, "no zip": b"hello" * 100}[harm])
    with pytest.raises(MissingInput, match=r"state\.pt cannot be gone on from .*remove it"):
        load_state(path)
