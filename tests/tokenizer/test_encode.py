from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import pickle
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from motionunion.digest import canonical_json, sha256_hex
from motionunion.engines.protocol import Done
from motionunion.errors import MissingInput, UsageError
from motionunion.features import FeatureSet
from motionunion.spans import SpanCaption
from motionunion.windows import cut
from tokenizer.checkpoint import Tokenizer
from tokenizer.corpus import Corpus, newest_corpus, open_corpus
from tokenizer.corpus_schema import code_type, schema_of
from tokenizer.encode import build_corpus
from tokenizer.encode_parts import Part, Place, write_part_of
from tokenizer.model import build_model
from tokenizer.model_config import ModelConfig
from tokenizer.quantizers.fsq import FSQConfig
from tokenizer.quantizers.protocol import QuantizerConfig
from tokenizer.quantizers.rvq import RVQConfig
from tokenizer.runs import alone_in

SPANS = [(120, "train"), (40, "train"), (230, "train"), (64, "val"), (8, "train"), (52, "test"), (196, "train")]


def make_tokenizer(features: FeatureSet, seed: int = 0, quantizer: QuantizerConfig | None = None) -> Tokenizer:
    statistics = features.statistics(feat_bias=5.0)
    return Tokenizer(
        build_model(ModelConfig(quantizer=quantizer or FSQConfig(levels=(8, 6, 5)), width=16), seed),
        mean_D=statistics.mean,
        std_D=statistics.std,
        representation=features.representation,
        parameter_hash="p",
        codebook=256,
        provenance={"preset": "tiny"},
    )


def tree(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def features(make_features, tmp_path: Path) -> FeatureSet:
    return make_features(tmp_path / "features", SPANS)


def test_a_corpus_holds_every_window_with_its_codes_and_captions(features: FeatureSet, tmp_path: Path) -> None:
    tokenizer = make_tokenizer(features)
    corpus = build_corpus(tokenizer, "t", features, tmp_path / "runs")
    windows = cut(features).windows
    found = [window for split in corpus.splits for window in corpus.windows(split)]
    assert sorted(window.window_id for window in found) == sorted(window.window_id for window in windows)
    by_id = {window.window_id: window for window in windows}
    for window in found:
        source = by_id[window.window_id]
        rows = features.values[source.start : source.start + source.rows]
        assert np.array_equal(window.codes, tokenizer.encode([rows])[0])
        assert window.captions == source.captions
        for name in ("span_id", "clip_id", "name", "source", "group", "split", "official_split", "first_row", "rows"):
            assert getattr(window, name) == getattr(source, name)


def test_the_manifest_says_where_the_codes_come_from(features: FeatureSet, tmp_path: Path) -> None:
    tokenizer = make_tokenizer(features)
    corpus = build_corpus(tokenizer, "t", features, tmp_path / "runs")
    manifest = corpus.manifest
    assert (corpus.codebook, corpus.codebook_size, corpus.end_id, corpus.pad_id) == (256, 240, 240, 241)
    assert manifest["levels"] == [8, 6, 5]
    assert corpus.tokenizer_hash == tokenizer.hash
    assert corpus.representation == "hml263@20/compat"
    assert manifest["store"] == {"uuid": "u", "fingerprint": "f" * 64, "commit": 3}
    assert manifest["skipped"] == {"short": 1}
    assert "16 rows" in manifest["skipped_rule"]["short"]
    train = manifest["splits"]["train"]
    # 120 + 40 + 230 (two windows of 116 and 112 rows) + 196 rows
    assert (train["windows"], train["clips"], train["rows"], train["tokens"]) == (5, 4, 584, 146)
    assert train["windows_without_captions"] == 0
    assert train["tokens_per_distinct_code"] == train["tokens"] / train["distinct_codes"]
    assert manifest["evaluation"]["test"]["windows"] == 1
    assert manifest["evaluation"]["val"]["mean_predictor_mpjpe_mm"] > 0


def test_unigram_counts_every_code_and_one_end_a_window(features: FeatureSet, tmp_path: Path) -> None:
    corpus = build_corpus(make_tokenizer(features), "t", features, tmp_path / "runs")
    for split in ("train", "val", "test"):
        windows = corpus.windows(split)
        expected = np.bincount(np.concatenate([window.codes for window in windows]), minlength=241)
        expected[240] = len(windows)
        assert np.array_equal(corpus.unigram(split), expected)


def test_windows_without_captions_are_counted(make_features, tmp_path: Path) -> None:
    features = make_features(tmp_path, SPANS, captions=False)
    corpus = build_corpus(make_tokenizer(features), "t", features, tmp_path / "runs")
    assert corpus.manifest["splits"]["train"]["windows_without_captions"] == 5
    assert corpus.windows("train")[0].captions == ()


def test_a_split_without_windows_is_empty_and_no_error(make_features, tmp_path: Path) -> None:
    features = make_features(tmp_path, [(64, "train")])
    corpus = build_corpus(make_tokenizer(features), "t", features, tmp_path / "runs")
    assert corpus.splits == ("train",)
    assert corpus.windows("test") == []
    assert corpus.unigram("test").tolist() == [0] * 241
    assert corpus.manifest["evaluation"] == {"val": None, "test": None}


def test_parts_are_readable_by_any_parquet_reader(features: FeatureSet, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("tokenizer.encode.PART_WINDOWS", 2)
    corpus = build_corpus(make_tokenizer(features), "t", features, tmp_path / "runs")
    parts = [part["file"] for part in corpus.manifest["splits"]["train"]["parts"]]
    assert parts == ["train-00000.parquet", "train-00001.parquet", "train-00002.parquet"]
    rows = [row for part in parts for row in pq.read_table(corpus.path / part).to_pylist()]
    assert [len(row["codes"]) * 4 for row in rows] == [row["rows"] for row in rows] == [120, 40, 116, 112, 196]
    assert rows[0]["captions"][0]["text"] == "motion 0"
    assert [window.window_id for window in corpus.windows("train")] == [row["window_id"] for row in rows]


def test_rows_say_licence_and_frames_and_codes_take_the_smallest_type(features: FeatureSet, tmp_path: Path) -> None:
    licences = {features.spans[0].clip_id: "CC-BY-4.0"}
    corpus = build_corpus(make_tokenizer(features), "t", features, tmp_path / "runs", licences=licences)
    first, *others = corpus.windows("train")
    assert first.licence == "CC-BY-4.0"
    assert {window.licence for window in others} == {None}
    assert (first.span_first_frame, first.span_stop_frame) == (0, 121)
    for split in corpus.splits:
        (table,) = corpus.tables(split)
        assert table.schema == schema_of(240)
    assert (corpus.manifest["code_type"], corpus.manifest["rows_per_second"]) == ("uint8", "20")


@pytest.mark.parametrize(("size", "kind"), [(256, "uint8"), (257, "uint16"), (65536, "uint16"), (65537, "uint32")])
def test_the_code_type_holds_the_largest_code(size: int, kind: str) -> None:
    assert str(code_type(size)) == kind


def test_captions_keep_their_times_from_the_window_s_first_row(make_features, tmp_path: Path) -> None:
    features = make_features(tmp_path, [(230, "train")])
    timed = SpanCaption(text="jumps", start_s=6.1, end_s=9.0)
    span = dataclasses.replace(features.spans[0], captions=(*features.spans[0].captions, timed))
    features = dataclasses.replace(features, spans=[span])
    one, two = build_corpus(make_tokenizer(features), "t", features, tmp_path / "runs").windows("train")
    assert [caption.text for caption in one.captions] == ["motion 0"]
    # The second window begins at row 116 of 20 a second: 5.8 s.
    assert [(caption.text, caption.start_s, caption.end_s) for caption in two.captions] == [
        ("motion 0", None, None),
        ("jumps", 0.3, 3.2),
    ]


def test_several_codes_a_step_lie_side_by_side(features: FeatureSet, tmp_path: Path) -> None:
    tokenizer = make_tokenizer(features, quantizer=RVQConfig(size=32, layers=3))
    corpus = build_corpus(tokenizer, "t", features, tmp_path / "runs")
    assert (corpus.codes_per_step, corpus.codebook_size) == (3, 32)
    window, source = corpus.windows("train")[0], cut(features).windows[0]
    expected = tokenizer.encode([features.values[source.start : source.start + source.rows]])[0]
    assert expected.shape == (30, 3)
    assert np.array_equal(window.codes, expected.ravel())
    assert np.array_equal(corpus.by_step(window.codes), expected)
    assert corpus.manifest["splits"]["train"]["tokens"] == sum(len(one.codes) for one in corpus.windows("train"))


class Elsewhere:
    """Hands work and tasks over as bytes, to a worker that stands in another folder: what a cluster does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, work, tasks):
        with contextlib.chdir(self.folder):
            for task in tasks:
                pickle.loads(pickle.dumps(work))(pickle.loads(pickle.dumps(task)))  # noqa: S301 - our own bytes
                yield Done(task, None)


def test_a_worker_that_stands_in_another_folder_writes_the_same_bytes(
    features: FeatureSet, tmp_path: Path, monkeypatch, save_features
) -> None:
    monkeypatch.setattr("tokenizer.encode.PART_WINDOWS", 2)
    monkeypatch.chdir(tmp_path)
    save_features(features, Path("saved"))
    tokenizer = make_tokenizer(features)
    tokenizer.save(Path("there/tokenizers/t"))
    build_corpus(tokenizer, "t", features, Path("here"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setattr("tokenizer.encode_parts._executor", lambda *settings: Elsewhere(tmp_path / "elsewhere"))
    build_corpus(tokenizer, "t", FeatureSet.load(Path("saved")), Path("there"))
    assert tree(Path("there/corpora")) == tree(Path("here/corpora"))


def test_a_worker_without_the_gpu_that_is_to_encode_says_so(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    place = Place(tmp_path, "0" * 64, tmp_path, tmp_path)
    with pytest.raises(MissingInput, match="sees no GPU, and cuda:1 is to encode: add --device cpu"):
        write_part_of(place, ("cuda:0", "cuda:1"), Part(3, "train", "train-00003.parquet", [], []))


@pytest.mark.slow
def test_a_worker_that_finds_another_tokenizer_refuses(
    features: FeatureSet, tmp_path: Path, monkeypatch, save_features
) -> None:
    monkeypatch.setattr("tokenizer.encode.PART_WINDOWS", 2)
    save_features(features, tmp_path / "features")
    make_tokenizer(features, seed=1).save(tmp_path / "runs/tokenizers/t")
    with pytest.raises(MissingInput, match="another tokenizer"):
        build_corpus(make_tokenizer(features), "t", FeatureSet.load(tmp_path / "features"), tmp_path / "runs", jobs=2)


@pytest.mark.parametrize(("settings", "said"), [({"engine": "abacus"}, "pool, ray"), ({"jobs": 0}, "at least 1")])
def test_workers_that_cannot_be_are_refused(features: FeatureSet, tmp_path: Path, settings, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        build_corpus(make_tokenizer(features), "t", features, tmp_path / "runs", **settings)


@pytest.mark.parametrize("survivors", [0, 1, 2, 4])
def test_a_run_that_stopped_after_some_parts_ends_in_the_same_bytes(
    features: FeatureSet, tmp_path: Path, monkeypatch, survivors: int
) -> None:
    monkeypatch.setattr("tokenizer.encode.PART_WINDOWS", 2)
    whole = build_corpus(make_tokenizer(features), "t", features, tmp_path / "whole")
    again = build_corpus(make_tokenizer(features), "t", features, tmp_path / "again")
    (again.path / "manifest.json").unlink()
    for path in sorted(again.path.glob("*"))[survivors:]:
        path.unlink()
    (again.path / ".tmp-cut-short").write_bytes(b"half a part")
    build_corpus(make_tokenizer(features), "t", features, tmp_path / "again")
    assert tree(tmp_path / "again") == tree(tmp_path / "whole")
    assert open_corpus(again.path).fingerprint == whole.fingerprint


KILLED = """
    import os, signal
    from pathlib import Path
    import torch
    torch.set_num_threads(1)
    import tokenizer.encode as encode
    import tokenizer.encode_parts as encode_parts
    from motionunion.features import FeatureSet
    from tokenizer.checkpoint import Tokenizer
    encode.PART_WINDOWS = 1
    written = 0
    real = encode.write_atomic
    def write_atomic(path, data):
        global written
        if written == {after}:
            (path.parent / ".tmp-half").write_bytes(data[: len(data) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        written += 1
        real(path, data)
    encode.write_atomic = encode_parts.write_atomic = write_atomic
    features = FeatureSet.load(Path({features!r}))
    encode.build_corpus(Tokenizer.load(Path({tokenizer!r})), "t", features, Path({runs!r}))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is not a Windows signal")
def test_killed_at_any_write_a_second_run_ends_in_the_same_bytes(
    features: FeatureSet, tmp_path: Path, monkeypatch, save_features
) -> None:
    monkeypatch.setattr("tokenizer.encode.PART_WINDOWS", 1)
    tokenizer = make_tokenizer(features)
    tokenizer.save(tmp_path / "tokenizer")
    save_features(features, tmp_path / "features")
    loaded = FeatureSet.load(tmp_path / "features")
    build_corpus(tokenizer, "t", loaded, tmp_path / "whole")
    expected = tree(tmp_path / "whole")
    # Seven parts, three unigram tables, the manifest: eleven writes; the sweep takes one of each kind.
    for after in (0, 3, 8, 10):
        runs = tmp_path / f"killed {after}"
        script = textwrap.dedent(KILLED).format(
            after=after, features=str(tmp_path / "features"),
            tokenizer=str(tmp_path / "tokenizer"), runs=str(runs),
        )  # fmt: skip
        killed = subprocess.run([sys.executable, "-c", script], capture_output=True, env=os.environ, check=False)
        assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
        with pytest.raises(MissingInput, match="scamo tokenize"):
            newest_corpus(runs)
        build_corpus(tokenizer, "t", loaded, runs)
        assert tree(runs) == expected


def test_another_tokenizer_makes_another_corpus(features: FeatureSet, tmp_path: Path) -> None:
    one = build_corpus(make_tokenizer(features, 0), "t", features, tmp_path / "runs")
    two = build_corpus(make_tokenizer(features, 1), "t", features, tmp_path / "runs")
    assert one.path != two.path
    assert one.fingerprint != two.fingerprint


def test_the_newest_corpus_is_the_one_asked_for_last(features: FeatureSet, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    one = build_corpus(make_tokenizer(features, 0), "t", features, runs)
    os.utime(one.path / "manifest.json", (1, 1))
    two = build_corpus(make_tokenizer(features, 1), "t", features, runs)
    os.utime(two.path / "manifest.json", (2, 2))
    assert newest_corpus(runs) == two.path
    build_corpus(make_tokenizer(features, 0), "t", features, runs)
    assert newest_corpus(runs) == one.path


def test_without_a_corpus_the_command_that_makes_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="scamo tokenize --codebook"):
        newest_corpus(tmp_path)
    with pytest.raises(MissingInput, match="scamo tokenize --codebook"):
        open_corpus(tmp_path)


@pytest.mark.parametrize("name", ["manifest.json", "train-00000.parquet", "unigram-train.npy"])
def test_a_flipped_byte_is_found(features: FeatureSet, tmp_path: Path, name: str) -> None:
    corpus = build_corpus(make_tokenizer(features), "t", features, tmp_path / "runs")
    path = corpus.path / name
    data = bytearray(path.read_bytes())
    place = data.index(b'"tokens": ') + 10 if name == "manifest.json" else len(data) // 2
    data[place] ^= 1
    path.write_bytes(bytes(data))

    def read_everything() -> None:
        opened = open_corpus(corpus.path)
        opened.windows("train")
        opened.unigram("train")

    with pytest.raises(MissingInput, match=name):
        read_everything()


def test_a_tokenizer_of_another_representation_is_refused(features: FeatureSet, tmp_path: Path) -> None:
    tokenizer = make_tokenizer(features)
    tokenizer.representation = "ms272@30"
    with pytest.raises(MissingInput, match="is for ms272@30"):
        build_corpus(tokenizer, "t", features, tmp_path / "runs")


def test_a_store_of_short_spans_only_is_refused(make_features, tmp_path: Path) -> None:
    features = make_features(tmp_path, [(64, "train")])
    tokenizer = make_tokenizer(features)
    with pytest.raises(MissingInput, match="nothing to encode"):
        build_corpus(tokenizer, "t", make_features(tmp_path, [(9, "train")]), tmp_path / "runs")


@pytest.mark.parametrize("harm", ["gone", "flipped", "cut"])
@pytest.mark.parametrize("name", ["train-00000.parquet", "unigram-train.npy"])
def test_what_is_damaged_of_a_finished_corpus_is_made_again(
    features: FeatureSet, tmp_path: Path, name: str, harm: str
) -> None:
    whole = build_corpus(make_tokenizer(features), "t", features, tmp_path / "runs")
    expected = tree(tmp_path / "runs")
    data = bytearray((whole.path / name).read_bytes())
    data[len(data) // 2] ^= 1
    if harm == "gone":
        (whole.path / name).unlink()
    else:
        (whole.path / name).write_bytes(data if harm == "flipped" else data[:-5])
    build_corpus(make_tokenizer(features), "t", features, tmp_path / "runs")
    assert tree(tmp_path / "runs") == expected


def test_two_processes_do_not_write_one_corpus_at_once(features: FeatureSet, tmp_path: Path) -> None:
    corpus = build_corpus(make_tokenizer(features), "t", features, tmp_path / "runs")
    with alone_in(corpus.path), pytest.raises(MissingInput, match="another process is at work in it"):
        build_corpus(make_tokenizer(features), "t", features, tmp_path / "runs")
    assert build_corpus(make_tokenizer(features), "t", features, tmp_path / "runs").fingerprint == corpus.fingerprint


@pytest.mark.parametrize("content", [b"[]", b"[" * 100_000, b"7", b""])
def test_a_manifest_that_is_none_is_named(features: FeatureSet, tmp_path: Path, content: bytes) -> None:
    corpus = build_corpus(make_tokenizer(features), "t", features, tmp_path / "runs")
    (corpus.path / "manifest.json").write_bytes(content)
    with pytest.raises(MissingInput, match="remove it and run"):
        open_corpus(corpus.path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m.pop("splits"), "splits"),
        (lambda m: m.pop("tokenizer"), "tokenizer"),
        (lambda m: m.pop("representation"), "representation"),
        (lambda m: m.pop("codebook_size"), "codebook_size"),
        (lambda m: m.update(codes_per_step=0), "codes_per_step is 0"),
        (lambda m: m.update(end_id=7), "END and PAD are 7"),
        (lambda m: m["splits"]["train"].update(windows=10**12), "1000000000000 windows of train"),
        (lambda m: m["splits"]["train"]["parts"][0].update(file="../../x"), "lies elsewhere"),
        (lambda m: m["tokenizer"].update(name="../../x"), "lies elsewhere"),
    ],
)
def test_a_manifest_that_cannot_be_is_refused(features: FeatureSet, tmp_path: Path, change, said: str) -> None:
    corpus = forged(build_corpus(make_tokenizer(features), "t", features, tmp_path / "runs"), change)
    with pytest.raises(MissingInput, match=rf"manifest\.json cannot be read .*{said}"):
        open_corpus(corpus.path)


@pytest.mark.parametrize(
    "change", [lambda m: m.update(codebook_size=5, end_id=5, pad_id=6), lambda m: m.update(codes_per_step=7)]
)
def test_a_part_that_does_not_fit_its_manifest_is_refused(features: FeatureSet, tmp_path: Path, change) -> None:
    corpus = forged(build_corpus(make_tokenizer(features), "t", features, tmp_path / "runs"), change)
    with pytest.raises(MissingInput, match=r"train-00000\.parquet does not fit the manifest"):
        open_corpus(corpus.path).windows("train")


def forged(corpus: Corpus, change) -> Corpus:
    """The corpus with a manifest that says something else under a checksum that fits."""
    manifest = {name: value for name, value in corpus.manifest.items() if name != "sha256"}
    change(manifest)
    manifest["sha256"] = sha256_hex(canonical_json(manifest))
    (corpus.path / "manifest.json").write_bytes(canonical_json(manifest))
    return corpus
