from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from motionunion.digest import canonical_json, sha256_hex
from motionunion.errors import MissingInput, UsageError
from motionunion.progress import SILENT
from motionunion.representations import registry
from scamo.evaluation import generated, standin
from scamo.evaluation.inputs import gather
from scamo.evaluation.run import about_tokenizer, evaluate
from scamo.evaluation.table import Evaluation, tables
from tokenizer.evaluation.table import markdown


def test_the_table_of_related_captions(toy_runs, open_toy, copy_of):
    features, runs = toy_runs
    runs = copy_of(runs)
    open_toy(features)
    result = evaluate("store", runs, device="cpu")
    real, rebuilt, made = result.rows
    assert [row["name"] for row in result.rows] == ["real", "reconstruction", "generated"]
    assert result.items == 70
    assert [row["items"] for row in result.rows] == [64, 64, 64]
    assert real["r_precision"][2] > 0.5  # chance is 0.094
    assert real["fid"] < rebuilt["fid"]
    assert all(row["fid_is_flagged"] for row in result.rows)
    assert made["r_precision"][2] < real["r_precision"][2]  # thirty steps on a random tokenizer teach nothing
    assert result.unusable is None
    assert not result.comparable
    assert "NOT comparable with published numbers: stand-in evaluator" in result.title
    assert result.untagged == 0
    assert result.reconstruction["mean_predictor_mpjpe_mm"] > 0
    assert result.likelihood["windows"] == 70
    assert result.likelihood["l_u_seen"] is not None
    folder = Path(result.folder)
    assert folder.parent == runs / "evaluations"
    assert Evaluation.read(folder) == result
    text = (folder / "table.md").read_text()
    assert text == markdown(tables(result))
    assert "(N=64) *" in text
    assert "may have been in the training of the tokenizer toy, which was trained on another store" in text


def test_the_same_seed_gives_the_same_table_and_another_seed_another(toy_runs, open_toy, copy_of):
    features, runs = toy_runs
    open_toy(features)
    fresh = copy_of(runs, "fresh")
    shutil.rmtree(fresh / "evaluators")  # trained anew, to the same weights
    tables = [
        evaluate("store", folder, device="cpu", seed=seed)
        for folder, seed in ((copy_of(runs, "kept"), 0), (fresh, 0), (copy_of(runs, "other"), 1))
    ]
    first, again, other = ({**table.as_plain(), "folder": ""} for table in tables)
    assert first == again
    assert first["rows"] != other["rows"]


def test_a_killed_run_goes_on_and_ends_in_the_same_table(toy_runs, open_toy, copy_of, monkeypatch):
    features, runs = toy_runs
    open_toy(features)
    whole = evaluate("store", copy_of(runs, "whole"), device="cpu")
    monkeypatch.setattr(generated, "PART", 10)
    killed, sample, calls = copy_of(runs, "killed"), generated._sample, []

    def dies_at_the_third_part(*given):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return sample(*given)

    monkeypatch.setattr(generated, "_sample", dies_at_the_third_part)
    with pytest.raises(KeyboardInterrupt):
        evaluate("store", killed, device="cpu")
    resumed = evaluate("store", killed, device="cpu")
    assert len(calls) == 3 + 5  # seven parts of 64 items: two were kept, the third failed, five remained
    assert {**resumed.as_plain(), "folder": ""} == {**whole.as_plain(), "folder": ""}
    found = evaluate("store", killed, device="cpu")
    assert len(calls) == 8
    assert found == resumed


def test_captions_that_have_nothing_to_do_with_the_motion_make_the_stand_in_unusable(toy, toy_runs, open_toy, copy_of):
    open_toy(toy({"train": 96, "val": 8, "test": 64}, related=False))
    result = evaluate("store", copy_of(toy_runs[1]), device="cpu")
    assert result.unusable
    assert "UNUSABLE evaluator" in result.title
    assert "sigma above 3/32" in result.title


def test_few_items_give_no_r_precision_and_say_why(toy, toy_runs, open_toy, copy_of):
    open_toy(toy({"train": 64, "val": 8, "test": 20}, tokens=False))
    result = evaluate("store", copy_of(toy_runs[1]), device="cpu")
    assert result.rows[0]["items"] == result.untagged == 20
    assert result.rows[0]["r_precision"] is None
    assert result.rows[0]["fid"] is not None
    text = markdown(tables(result))
    assert "real, r-precision: n/a, a pool needs 32 items, there are 20." in text
    assert "20 captions have no part-of-speech tokens" in text
    assert "20 of 20 captions have no part-of-speech tokens" in result.title
    assert "too few items to tell whether the stand-in works" in result.title


def test_what_was_trained_on_is_never_evaluated(toy_runs, open_toy, copy_of):
    features, runs = toy_runs
    # The store has moved ten training recordings into its test split since the corpus was made.
    moved = [replace(s, split="test") if s.split == "train" and i < 10 else s for i, s in enumerate(features.spans)]
    open_toy(replace(features, spans=moved, fingerprint="moved", key="moved"))
    result = evaluate("store", copy_of(runs), device="cpu")
    assert result.items == 70
    assert result.dropped == {"items whose recording is in the corpus's training or validation split": 10}
    assert result.reconstruction["windows"] == 70


def test_what_chose_the_best_step_is_never_evaluated(toy_runs, open_toy, copy_of):
    features, runs = toy_runs
    moved = [replace(s, split="test") if s.split == "val" else s for s in features.spans]
    open_toy(replace(features, spans=moved, fingerprint="moved", key="moved"))
    result = evaluate("store", copy_of(runs), device="cpu")
    assert result.items == 70
    assert list(result.dropped.values()) == [16]


def test_a_tokenizer_of_another_state_is_named_beside_its_figures(toy_runs, open_toy):
    features, runs = toy_runs
    open_toy(features)
    found = gather("store", runs, None, "cpu", None, SILENT)
    found.tokenizer.provenance = {"store": {"uuid": features.store_uuid, "fingerprint": features.fingerprint}}
    assert about_tokenizer(found) == ""
    found.tokenizer.provenance["store"]["fingerprint"] = "before"
    assert "training of the tokenizer toy, which was trained on an earlier state of this store" in about_tokenizer(
        found
    )


def test_training_windows_on_the_template_body_are_counted(toy, build_runs, open_toy, tmp_path):
    features = toy({"train": 24, "val": 4, "test": 4})
    spans = [
        replace(span, body="template") if span.split != "train" or i < 5 else span
        for i, span in enumerate(features.spans)
    ]
    features = replace(features, spans=spans, key="template")
    build_runs(features, tmp_path)
    open_toy(features)
    assert gather("store", tmp_path, None, "cpu", None, SILENT).template_training == 5


def test_a_tokenizer_of_other_encoder_parameters_is_refused(toy_runs, open_toy, monkeypatch):
    features, runs = toy_runs
    open_toy(features)
    changed = replace(registry.get(features.representation), parameter_hash="other")
    monkeypatch.setattr("scamo.evaluation.inputs.registry.get", lambda name: changed)
    with pytest.raises(MissingInput, match="other parameters now"):
        evaluate("store", runs, device="cpu")


def test_the_published_weights_judge_humanml3ds_test_items_alone(
    toy_runs, open_toy, copy_of, narrow, write_folder, tmp_path
):
    features, runs = toy_runs
    marked = [
        replace(s, layer="humanml3d", official_split="test", body="template" if i % 2 else "model")
        if s.split == "test"
        else s
        for i, s in enumerate(features.spans)
    ]
    marked[-1] = replace(marked[-1], official_split=None)
    open_toy(replace(features, spans=marked, key="marked"))
    runs = copy_of(runs)
    given = evaluate("store", runs, evaluator=write_folder(tmp_path / "guo"), device="cpu")
    assert given.items == 69
    assert given.unusable is None
    assert "stand-in" not in given.title
    assert "69 of HumanML3D's test items instead of 4,640 to 4,671" in given.title
    assert "34 of 69 motions are on the template body" in given.title
    write_folder(runs / "evaluators" / "official")
    found = evaluate("store", runs, device="cpu")
    assert found.evaluator == given.evaluator
    assert found.items == 69
    open_toy(features)
    without = evaluate("store", runs, device="cpu")
    assert without.items == 70
    assert "items are this store's test windows" in without.title


def test_the_stand_in_sees_the_training_split_alone(toy_runs, open_toy, copy_of, monkeypatch):
    features, runs = toy_runs
    open_toy(features)
    seen, original = [], standin.train_or_load

    def spy(folder, items, values, **rest):
        seen.extend(items)
        return original(folder, items, values, **rest)

    monkeypatch.setattr(standin, "train_or_load", spy)
    other = copy_of(runs)
    shutil.rmtree(other / "evaluators")
    evaluate("store", other, device="cpu")
    assert {item.group.split("-")[0] for item in seen} == {"train"}
    assert len(seen) == 192


def test_nothing_of_the_test_split_changes_the_stand_in(toy_runs, open_toy, copy_of):
    features, runs = toy_runs
    open_toy(features)
    one = copy_of(runs, "one")
    evaluate("store", one, device="cpu")
    values = np.array(features.values)
    values[features.offsets[next(i for i, span in enumerate(features.spans) if span.split == "test")] :] *= 3
    spans = [
        replace(s, captions=tuple(replace(c, text="a zebra") for c in s.captions)) if s.split == "test" else s
        for s in features.spans
    ]
    open_toy(replace(features, values=values, spans=spans))
    other = copy_of(runs, "other")
    shutil.rmtree(other / "evaluators")
    evaluate("store", other, device="cpu")
    weights = [next(folder.glob("evaluators/*/model.safetensors")).read_bytes() for folder in (one, other)]
    assert weights[0] == weights[1]


def test_what_is_missing_is_named_with_the_command_that_brings_it(toy_runs, open_toy, copy_of, tmp_path):
    features, runs = toy_runs
    open_toy(features)
    with pytest.raises(MissingInput, match="scamo train-ar"):
        evaluate("store", tmp_path / "empty", device="cpu")
    with pytest.raises(UsageError, match="there are: humanml3d"):
        evaluate("store", runs, protocol="kit", device="cpu")
    with pytest.raises(MissingInput, match=r"finest\.tar"):
        evaluate("store", runs, evaluator=tmp_path / "nothing", device="cpu")
    bare = [replace(span, captions=()) for span in features.spans]
    open_toy(replace(features, spans=bare))
    with pytest.raises(MissingInput, match=r"has no captions.*motionunion captions import FILE"):
        evaluate("store", runs, device="cpu")
    trained = [replace(span, split="train") for span in features.spans]
    open_toy(replace(features, spans=trained))
    with pytest.raises(MissingInput, match=r"no test split.*motionunion ingest DIR"):
        evaluate("store", runs, device="cpu")
    quiet = [replace(span, captions=()) if span.split == "test" else span for span in features.spans]
    open_toy(replace(features, spans=quiet))
    with pytest.raises(MissingInput, match="test split has a caption"):
        evaluate("store", runs, device="cpu")
    assert len(list(runs.glob("evaluators/*"))) == 1  # all of this is said before another stand-in is trained


def test_a_corpus_that_is_not_the_models_is_refused(toy_runs, open_toy, copy_of):
    features, runs = toy_runs
    runs = copy_of(runs)
    open_toy(features)
    folder = next((runs / "corpora").iterdir())
    manifest = json.loads((folder / "manifest.json").read_bytes())
    del manifest["sha256"]
    manifest["window_rule"] = "another"
    manifest["sha256"] = sha256_hex(canonical_json(manifest))
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(MissingInput, match="no longer the corpus"):
        evaluate("store", runs, device="cpu")
