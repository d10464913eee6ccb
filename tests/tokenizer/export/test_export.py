"""What is exported is what the corpus holds, in the layout that the other side documents."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from motionunion.digest import canonical_json, sha256_file, sha256_hex
from motionunion.errors import MissingInput, UsageError
from tokenizer.corpus import FORMAT, Corpus, open_corpus
from tokenizer.corpus_schema import schema_of
from tokenizer.export import FORMATS, export_corpus, litdata_chunks, tar_shards

WINDOWS = {"train": [5, 3, 8, 4, 6], "val": [4, 7]}


@pytest.fixture
def make_corpus(tmp_path: Path):
    """Writes a corpus of random codes, in parts of three windows."""

    def make(codebook_size: int = 1000, codes_per_step: int = 1) -> Corpus:
        folder = tmp_path / f"corpus-{codebook_size}-{codes_per_step}"
        folder.mkdir()
        random = np.random.default_rng(0)
        splits: dict[str, object] = {}
        for split, lengths in WINDOWS.items():
            rows = [
                {
                    "window_id": f"{number:032x}-0", "clip_id": f"{number:032x}", "name": f"{number:06d}", "split": split,
                    "source": "s", "licence": "CC-BY-4.0", "first_row": 0, "rows": 4 * length,
                    "codes": random.integers(0, codebook_size, length * codes_per_step),
                    "captions": [{"text": f"läuft {number}", "layer": "l", "generator": "human", "start_s": 0.5, "end_s": 1.0}],
                }
                for number, length in enumerate(lengths)
            ]  # fmt: skip
            parts = []
            for number, first in enumerate(range(0, len(rows), 3)):
                sink = io.BytesIO()
                pq.write_table(pa.Table.from_pylist(rows[first : first + 3], schema=schema_of(codebook_size)), sink)
                name = f"{split}-{number:05d}.parquet"
                (folder / name).write_bytes(sink.getvalue())
                parts.append(
                    {"file": name, "windows": len(rows[first : first + 3]), "sha256": sha256_hex(sink.getvalue())}
                )
            splits[split] = {"windows": len(rows), "tokens": sum(lengths) * codes_per_step, "parts": parts}
        splits["test"] = {"windows": 0, "tokens": 0, "parts": []}
        manifest = {
            "format": FORMAT, "representation": {"id": "hml263@20/compat"}, "tokenizer": {"name": "t", "hash": "0" * 64},
            "codebook": 1024, "codebook_size": codebook_size, "codes_per_step": codes_per_step, "rows_per_code": 4,
            "code_type": str(schema_of(codebook_size).field("codes").type.value_type), "end_id": codebook_size,
            "pad_id": codebook_size + 1, "splits": splits,
        }  # fmt: skip
        manifest["sha256"] = sha256_hex(canonical_json(manifest))
        (folder / "manifest.json").write_bytes(canonical_json(manifest))
        return open_corpus(folder)

    return make


def sequence(corpus: Corpus, split: str) -> list[int]:
    """The ids of a split, worked out one by one."""
    ids: list[int] = []
    for window in corpus.windows(split):
        for place, code in enumerate(window.codes):
            ids.append(int(code) + corpus.codebook_size * (place % corpus.codes_per_step))
        ids.append(corpus.codebook_size * corpus.codes_per_step)
    return ids


@pytest.mark.parametrize("form", FORMATS)
def test_the_manifest_names_every_file_and_the_same_corpus_gives_the_same_bytes(make_corpus, tmp_path, form) -> None:
    corpus = make_corpus()
    one = export_corpus(corpus, form, tmp_path / "one")
    two = export_corpus(corpus, form, tmp_path / "two")
    assert one.manifest == two.manifest
    files = {path.relative_to(one.folder).as_posix() for path in one.folder.rglob("*") if path.is_file()}
    assert files == {file["file"] for file in one.manifest["files"]} | {"export.json"}
    for file in one.manifest["files"]:
        path = one.folder / file["file"]
        assert (path.stat().st_size, sha256_file(path)) == (file["bytes"], file["sha256"])
        assert (two.folder / file["file"]).read_bytes() == path.read_bytes()
    assert sum(file["windows"] for file in one.manifest["files"]) == 7
    assert json.loads((one.folder / "export.json").read_bytes()) == one.manifest


@pytest.mark.parametrize(
    ("size", "per_step", "kind"), [(1000, 1, "<u2"), (512, 6, "<u2"), (65535, 1, "<u2"), (65536, 1, "<u4")]
)
def test_bin_is_the_flat_sequence_that_nanogpt_maps(make_corpus, tmp_path, size, per_step, kind) -> None:
    corpus = make_corpus(size, per_step)
    export_corpus(corpus, "bin", tmp_path / "out")
    for split in ("train", "val"):
        # As nanoGPT's train.py opens it.
        mapped = np.memmap(tmp_path / "out" / f"{split}.bin", dtype=kind, mode="r")
        assert mapped.tolist() == sequence(corpus, split)
    meta = pickle.loads((tmp_path / "out/meta.pkl").read_bytes())  # noqa: S301 - written just now
    assert meta["vocab_size"] == size * per_step + 1 == len(meta["itos"])
    assert max(sequence(corpus, "train")) < meta["vocab_size"]


@pytest.mark.parametrize("per_step", [1, 3])
def test_what_nanogpt_samples_is_printed_as_a_motion_a_line(make_corpus, tmp_path, per_step) -> None:
    corpus = make_corpus(100, per_step)
    export_corpus(corpus, "bin", tmp_path / "out")
    meta = pickle.loads((tmp_path / "out/meta.pkl").read_bytes())  # noqa: S301 - written just now
    # As its sample.py begins, and as it shows what was drawn.
    assert [meta["stoi"][letter] for letter in "\n"] == [100 * per_step]
    drawn = sequence(corpus, "val")
    lines = "".join(meta["itos"][number] for number in drawn).splitlines()
    assert [len(line.split()) for line in lines] == [length * per_step for length in WINDOWS["val"]]
    assert [int(word) for word in lines[0].split()] == drawn[: len(lines[0].split())]


def test_jsonl_holds_every_column_of_every_window(make_corpus, tmp_path) -> None:
    corpus = make_corpus()
    export_corpus(corpus, "jsonl", tmp_path / "out")
    rows = [json.loads(line) for line in (tmp_path / "out/train.jsonl").read_text(encoding="utf-8").splitlines()]
    expected = [row for table in corpus.tables("train") for row in table.to_pylist()]
    assert rows == expected
    assert "läuft 0" in (tmp_path / "out/train.jsonl").read_text(encoding="utf-8")


def litdata_ids(folder: Path) -> list[int]:
    """The ids of litdata chunks by the layout of its writer: item count, offsets, items."""
    index = json.loads((folder / "index.json").read_bytes())
    assert index["config"]["data_format"] == ["no_header_tensor:16"]
    ids: list[int] = []
    for chunk in index["chunks"]:
        data = (folder / chunk["filename"]).read_bytes()
        assert len(data) == chunk["chunk_bytes"]
        (items,) = np.frombuffer(data, "<u4", 1)
        offsets = np.frombuffer(data, "<u4", items + 1, offset=4)
        assert (items, offsets[0], offsets[-1]) == (chunk["chunk_size"], 4 * (items + 2), len(data))
        found = np.frombuffer(data, "<i4", offset=4 * (items + 2))
        assert len(found) == chunk["dim"]
        ids.extend(found.tolist())
    return ids


@pytest.mark.parametrize("chunk", [1 << 22, 7, 31])
def test_litgpt_chunks_hold_the_flat_sequence(make_corpus, tmp_path, monkeypatch, chunk) -> None:
    monkeypatch.setattr(litdata_chunks, "CHUNK_TOKENS", chunk)
    corpus = make_corpus()
    export_corpus(corpus, "litgpt", tmp_path / "out")
    for split in ("train", "val"):
        assert litdata_ids(tmp_path / "out" / split) == sequence(corpus, split)


@pytest.mark.parametrize("per_step", [1, 3])
def test_webdataset_shards_hold_codes_and_columns_side_by_side(make_corpus, tmp_path, monkeypatch, per_step) -> None:
    monkeypatch.setattr(tar_shards, "SHARD_WINDOWS", 2)
    corpus = make_corpus(512, per_step)
    export_corpus(corpus, "webdataset", tmp_path / "out")
    shards = sorted((tmp_path / "out").glob("train-*.tar"))
    assert [shard.name for shard in shards] == [f"train-{number:06d}.tar" for number in range(3)]
    expected = iter(corpus.windows("train"))
    for shard in shards:
        with tarfile.open(shard) as tar:
            members = tar.getmembers()
            for codes, about in zip(members[0::2], members[1::2], strict=True):
                window = next(expected)
                assert (codes.name, about.name) == (f"{window.window_id}.npy", f"{window.window_id}.json")
                found: npt.NDArray[np.uint16] = np.load(io.BytesIO(tar.extractfile(codes).read()), allow_pickle=False)  # type: ignore[union-attr]
                assert found.dtype == np.uint16
                assert np.array_equal(found, corpus.by_step(window.codes))
                row = json.loads(tar.extractfile(about).read())  # type: ignore[union-attr]
                assert (row["rows"], row["captions"][0]["text"]) == (window.rows, window.captions[0].text)
    assert next(expected, None) is None


def test_hf_is_the_corpus_under_the_hub_s_names_with_a_card(make_corpus, tmp_path) -> None:
    corpus = make_corpus()
    export_corpus(corpus, "hf", tmp_path / "out")
    files = sorted(path.name for path in (tmp_path / "out/data").iterdir())
    assert files == [
        "train-00000-of-00002.parquet", "train-00001-of-00002.parquet", "validation-00000-of-00001.parquet",
    ]  # fmt: skip
    assert (tmp_path / "out/data" / files[2]).read_bytes() == corpus.part_bytes("val", 0)
    card = (tmp_path / "out/README.md").read_text(encoding="utf-8")
    assert "  - split: validation\n    path: data/validation-*.parquet\n" in card
    assert "split: test" not in card
    assert "- CC-BY-4.0: 7 windows" in card


def test_hf_loads_in_datasets(make_corpus, tmp_path, monkeypatch) -> None:
    datasets = pytest.importorskip("datasets")
    corpus = make_corpus()
    export_corpus(corpus, "hf", tmp_path / "out")
    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in loaded.items()} == {"train": 5, "validation": 2}
    assert loaded["train"][0]["codes"] == corpus.windows("train")[0].codes.tolist()


def test_a_folder_that_holds_something_else_is_left_alone(make_corpus, tmp_path) -> None:
    corpus = make_corpus()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("do not touch")
    with pytest.raises(UsageError, match="holds no export"):
        export_corpus(corpus, "bin", tmp_path / "mine")
    export_corpus(corpus, "bin", tmp_path / "out")
    with pytest.raises(UsageError, match="another export"):
        export_corpus(corpus, "jsonl", tmp_path / "out")
    with pytest.raises(UsageError, match="hf, bin, jsonl, litgpt, webdataset"):
        export_corpus(corpus, "csv", tmp_path / "new")


@pytest.mark.parametrize("form", FORMATS)
def test_an_export_that_was_cut_short_is_finished_by_the_same_call(make_corpus, tmp_path, monkeypatch, form) -> None:
    corpus = make_corpus()
    whole = export_corpus(corpus, form, tmp_path / "whole")
    data = corpus.part_bytes("val", 0)
    (corpus.path / "val-00000.parquet").write_bytes(data[:-1])  # the second split cannot be read
    with pytest.raises(MissingInput, match="damaged"):
        export_corpus(corpus, form, tmp_path / "out")
    assert json.loads((tmp_path / "out/export.json").read_bytes())["unfinished"]
    (corpus.path / "val-00000.parquet").write_bytes(data)
    (tmp_path / "out/.tmp-1-half").write_bytes(b"half")
    assert export_corpus(corpus, form, tmp_path / "out").manifest == whole.manifest
    assert not list((tmp_path / "out").rglob(".tmp-*"))


def test_an_export_killed_at_its_first_write_is_begun_again(make_corpus, tmp_path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".tmp-0123456789abcdef").write_bytes(b"{")
    exported = export_corpus(make_corpus(), "jsonl", tmp_path / "out")
    assert sorted(path.name for path in exported.folder.iterdir()) == sorted(
        [file["file"] for file in exported.manifest["files"]] + ["export.json"]
    )
