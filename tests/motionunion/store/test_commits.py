from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from motionunion.errors import StoreError
from motionunion.store.commits import (
    CHECKPOINT_EVERY,
    State,
    commit_name,
    latest_number,
    read_commit,
    read_state,
    write_commit,
)
from motionunion.store.shards import Shard
from motionunion.store.storage import LocalStorage


def shard(name: str) -> Shard:
    return Shard(name=name, kind="clips", rows=1, bytes=1, sha256="0" * 64, footer_sha256="1" * 64)


@pytest.fixture(scope="module")
def seventy(tmp_path_factory) -> Path:
    """Seventy commits: each adds one shard, every third removes the one before."""
    folder = tmp_path_factory.mktemp("seventy")
    storage, state = LocalStorage(folder), State()
    for number in range(1, 71):
        removed = [f"s{number - 1:03d}"] if number % 3 == 0 else []
        after = write_commit(storage, state, [shard(f"s{number:03d}")], removed, "made up")
        assert after is not None
        state = after
    return folder


@pytest.fixture
def chain(seventy, tmp_path) -> LocalStorage:
    """The seventy commits, to be damaged."""
    return LocalStorage(shutil.copytree(seventy, tmp_path / "store"))


def test_the_state_read_back_is_the_state_that_was_written_at_every_commit(chain):
    for number in (1, 2, CHECKPOINT_EVERY - 1, CHECKPOINT_EVERY, CHECKPOINT_EVERY + 1, 70):
        state = read_state(chain, number)
        expected = {f"s{n:03d}" for n in range(1, number + 1)} - {f"s{n - 1:03d}" for n in range(3, number + 1, 3)}
        assert set(state.shards) == expected
        assert state.since == {name: int(name[1:]) for name in expected}
        assert state.number == number
        assert state.digest == read_commit(chain, number)["digest"]


def test_the_highest_number_is_the_store_whatever_the_hint_says(chain):
    assert chain.get("commits/_latest") == b"70\n"
    chain.put("commits/_latest", b"3\n")
    assert latest_number(chain) == 70
    chain.path("commits/_latest").unlink()
    assert read_state(chain).number == 70


def test_opening_reads_from_the_last_checkpoint_on(chain):
    chain.path(commit_name(5)).unlink()
    assert read_state(chain).number == 70
    with pytest.raises(StoreError, match="missing"):
        read_state(chain, 20)


def test_a_number_that_is_taken_is_not_taken_again(chain):
    before = chain.get(commit_name(70))
    assert write_commit(chain, read_state(chain, 69), [shard("other")], [], "late") is None
    assert chain.get(commit_name(70)) == before


def test_any_changed_byte_of_a_commit_is_found(chain):
    data = chain.get(commit_name(70))
    for place in range(0, len(data), 7):
        damaged = bytearray(data)
        damaged[place] ^= 1
        chain.put(commit_name(70), bytes(damaged))
        with pytest.raises(StoreError):
            read_state(chain)


def test_a_commit_of_another_chain_is_found(chain, tmp_path):
    other = LocalStorage(tmp_path / "other")
    state = State()
    for _ in range(66):
        state = write_commit(other, state, [], [], "another store")  # type: ignore[assignment]
    chain.put(commit_name(66), other.get(commit_name(66)))
    with pytest.raises(StoreError, match="does not follow"):
        read_state(chain)


def test_a_newer_format_is_refused_by_its_number(chain):
    from motionunion.store.commits import seal

    value = json.loads(chain.get(commit_name(70)))
    del value["digest"]
    chain.put(commit_name(70), seal({**value, "format": 2}))
    with pytest.raises(StoreError, match="format 2"):
        read_state(chain)
