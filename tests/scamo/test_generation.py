from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from motionunion.errors import MissingInput, MotionUnionError, UsageError
from scamo.generation import generate, write_generated
from scamo.plan import train_ar
from scamo.sampling import SamplingOptions
from scamo.trained import TrainedTransformer, newest_model, prompt_seeds


@pytest.fixture(scope="module")
def runs(tmp_path_factory, write_corpus, make_windows) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    write_corpus(folder, {"train": make_windows(48, 0), "val": make_windows(8, 1)})
    train_ar(folder, steps=60, learning_rate=5e-3)
    return folder


def test_a_prompt_becomes_codes_features_and_joints(runs):
    (result,) = generate(["a person walks fast"], runs=runs)
    count = len(result.codes)
    assert 4 <= count <= 49
    assert result.features.shape == (4 * count, 263)
    assert result.joints.shape == (4 * count, 22, 3)
    assert np.isfinite(result.joints).all()
    assert (result.prompt, result.fps) == ("a person walks fast", 20.0)


def test_the_caption_decides_the_codes(runs):
    prompts = [f"a person {verb} fast" for verb in ("walks", "runs", "jumps", "kicks")] * 5
    tens = [set((result // 10).tolist()) for result in TrainedTransformer.load(newest_model(runs)).sample(prompts)]
    right = sum(found == {number % 4} for number, found in enumerate(tens))
    assert right >= 15  # chance alone gives far fewer than 20 x 1/4


def test_codes_that_training_never_saw_are_never_drawn(runs):
    options = SamplingOptions(temperature=5.0, top_p=1.0, min_tokens=40)
    codes = TrainedTransformer.load(newest_model(runs)).sample(["a person walks"] * 10, options=options)
    assert max(row.max() for row in codes) < 40


def test_a_prompt_s_motion_does_not_depend_on_the_others(runs):
    trained = TrainedTransformer.load(newest_model(runs))
    alone = trained.sample(["a person runs"], seed=3)[0].tolist()
    among = trained.sample(["someone jumps high and far", "a person runs", "a person runs"], seed=3)
    assert among[1].tolist() == alone
    assert among[2].tolist() != alone  # the same words again are another draw
    assert trained.sample(["a person runs"], seed=4)[0].tolist() != alone


def test_more_prompts_than_one_batch_come_back_in_order(runs):
    trained = TrainedTransformer.load(newest_model(runs))
    prompts = [f"a person {'walks' if number % 2 else 'kicks'} {number}" for number in range(70)]
    codes = trained.sample(prompts)
    assert len(codes) == 70
    assert codes[69].tolist() == trained.sample(prompts[69:])[0].tolist()


def test_seeds_differ_by_prompt_repetition_and_seed():
    assert len({*prompt_seeds(["a", "b", "a"], 0), *prompt_seeds(["a"], 1)}) == 4


def test_an_empty_motion_cannot_be_asked_for_nor_an_empty_prompt(runs):
    with pytest.raises(UsageError, match="--min-tokens must be at least 1"):
        generate(["a person walks"], runs=runs, options=SamplingOptions(min_tokens=0))
    with pytest.raises(UsageError, match="prompt 2 has no word"):
        generate(["a person walks", " ... "], runs=runs)


def test_a_device_that_is_not_there_is_refused(runs):
    with pytest.raises(UsageError, match="--device nonsense"):
        generate(["a person walks"], runs=runs, device="nonsense")


def test_unknown_words_are_said(runs):
    class Notes:
        lines: list[str] = []  # noqa: RUF012

        def start(self, label, total, unit): ...
        def advance(self, amount, **figures): ...
        def finish(self): ...
        def note(self, message):
            self.lines.append(message)

    notes = Notes()
    generate(["a zebra walks"], runs=runs, progress=notes)
    assert any("does not know 'zebra'" in line for line in notes.lines)
    assert any("knows the 40 codes" in line for line in notes.lines)


def test_another_tokenizer_in_its_place_is_refused(runs, tmp_path, write_corpus, make_windows):
    import shutil

    shutil.copytree(runs, tmp_path / "copy")
    from tokenizer.checkpoint import Tokenizer

    folder = tmp_path / "copy/tokenizers/small-1"
    tokenizer = Tokenizer.load(folder)
    tokenizer.mean_D = tokenizer.mean_D + 1
    tokenizer.save(folder)
    with pytest.raises(MotionUnionError, match="is not the tokenizer"):
        generate(["a person walks"], runs=tmp_path / "copy")
    shutil.rmtree(folder)
    with pytest.raises(MissingInput, match="small-1 is not there"):
        generate(["a person walks"], runs=tmp_path / "copy")


def test_without_a_model_the_command_that_makes_one_is_named(tmp_path):
    with pytest.raises(MissingInput, match="scamo train-ar"):
        generate(["a person walks"], runs=tmp_path)


def test_files_of_a_motion_hold_what_was_made(runs, tmp_path):
    results = generate(["A person walks; fast!", "jumps"], runs=runs)
    rows = write_generated(results, tmp_path / "out")
    assert [Path(row["joints"]).name for row in rows] == ["000-a-person-walks--fast.joints.npy", "001-jumps.joints.npy"]
    for row, result in zip(rows, results, strict=True):
        assert np.array_equal(np.load(row["joints"], allow_pickle=False), result.joints)
        assert np.array_equal(np.load(row["features"], allow_pickle=False), result.features)
        with Image.open(row["gif"]) as image:
            assert image.format == "GIF"
            assert getattr(image, "n_frames", 1) > 1
        assert row["seconds"] == len(result.joints) / 20


def test_the_command_writes_files_and_prints_one_object(runs, tmp_path):
    import typer

    from cli.transformer import generate as command

    app = typer.Typer()
    app.command()(command)
    arguments = ["a person runs", "--runs", str(runs), "--out", str(tmp_path / "out"), "--json", "--max-tokens", "6"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    (motion,) = json.loads(done.stdout)["motions"]
    assert 4 <= len(motion["codes"]) <= 6
    assert all(Path(motion[kind]).is_file() for kind in ("joints", "features", "gif"))


def test_the_training_command_shows_the_figures_and_what_comes_next(runs):
    import typer

    from cli.transformer import train_ar as command

    app = typer.Typer()
    app.command()(command)
    done = CliRunner().invoke(app, ["--runs", str(runs), "--steps", "60", "--learning-rate", "5e-3"])
    assert done.exit_code == 0, done.output
    for words in ("Already trained", "L_u, seen codes", "scamo eval humanml3d", "40 codes"):
        assert words in done.output
    as_json = CliRunner().invoke(app, ["--runs", str(runs), "--steps", "60", "--learning-rate", "5e-3", "--json"])
    assert json.loads(as_json.stdout)["already_done"] is True


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(MotionUnionError, match=r"file.*--out"):
        write_generated([], tmp_path / "file" / "out")
