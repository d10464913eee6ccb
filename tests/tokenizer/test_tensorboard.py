from __future__ import annotations

import struct
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from motionunion.errors import MissingInput
from tokenizer.tensorboard import EventFiles, crc32c, curves
from tokenizer.wandb_run import WandbRun

TRAIN = {"kind": "train", "step": 300, "attempt": 0, "loss": 0.5, "further_exp_entropy": [3.0, 2.0]}
HELD_OUT = {"kind": "held_out", "step": 300, "attempt": 1, "on": "val", "usage": {"used": 7}}


def fields(message: bytes) -> list[tuple[int, object]]:
    """The fields of a protocol buffer, by the wire format's own description."""
    found: list[tuple[int, object]] = []
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(message):
        key = varint()
        match key & 7:
            case 0:
                found.append((key >> 3, varint()))
            case 1:
                found.append((key >> 3, struct.unpack_from("<d", message, at)[0]))
                at += 8
            case 5:
                found.append((key >> 3, struct.unpack_from("<f", message, at)[0]))
                at += 4
            case 2:
                size = varint()
                found.append((key >> 3, message[at : at + size]))
                at += size
    return found


def events(path: Path) -> list[dict[int, object]]:
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        found.append(dict(fields(data[at + 12 : at + 12 + length])))
        at += 16 + length
    assert at == len(data)
    return found


def test_the_checksum_is_that_of_the_standard() -> None:
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720, B.4


def test_entries_become_curves_at_their_step(tmp_path: Path) -> None:
    files = EventFiles(tmp_path)
    files.heard(TRAIN)
    files.heard(HELD_OUT)
    files.close()
    (first,), (second,) = ((tmp_path / f"attempt-{number}").glob("events.out.tfevents.*") for number in (0, 1))
    version, event = events(first)
    assert version[3] == b"brain.Event:2"
    assert event[2] == 300
    named = [dict(fields(value)) for _, value in fields(event[5])]
    assert [(value[1].decode(), value[2]) for value in named] == [
        ("train/loss", 0.5),
        ("train/further_exp_entropy/2", 3.0),
        ("train/further_exp_entropy/3", 2.0),
    ]
    assert dict(fields(dict(fields(events(second)[1][5]))[1]))[1] == b"held_out/usage/used"


def test_a_run_that_goes_on_says_from_which_step(tmp_path: Path) -> None:
    files = EventFiles(tmp_path)
    files.went_back(250)
    files.heard(TRAIN)
    files.close()
    (path,) = (tmp_path / "attempt-0").iterdir()
    _, session, event = events(path)
    assert (session[2], session[7]) == (251, b"\x08\x01")
    assert event[2] == 300


def test_words_are_no_curves() -> None:
    assert dict(curves(HELD_OUT)) == {"held_out/usage/used": 7.0}


def test_weights_and_biases_hears_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[object] = []
    run = SimpleNamespace(log=heard.append, finish=lambda: heard.append("end"))
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=lambda **about: heard.append(about["id"]) or run))
    log = WandbRun("motion", tmp_path / "fsq256-tiny-0", {"seed": 0})
    log.heard(HELD_OUT)
    log.close()
    assert heard == ["fsq256-tiny-0", {"held_out/usage/used": 7.0, "step": 300, "attempt": 1}, "end"]


def test_weights_and_biases_without_its_package_is_a_missing_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(MissingInput, match="pip install wandb"):
        WandbRun("motion", tmp_path, {})
