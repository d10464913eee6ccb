from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from motionunion.errors import ConfigError, MissingInput, UsageError
from motionunion.features import FeatureSet
from tokenizer import plan
from tokenizer.checkpoint import FILE
from tokenizer.choice import choose_device, matching_tokenizer
from tokenizer.corpus import newest_corpus
from tokenizer.training_log import METRICS
from tokenizer.training_state import STATE

SPANS = [(96, "train"), (40, "train"), (120, "train"), (64, "val"), (48, "test")]


class Notes:
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def start(self, label: str, total: float | None, unit: str) -> None:
        self.said.append(label)

    def advance(self, amount: float, **figures: float) -> None:
        pass

    def finish(self) -> None:
        pass

    def note(self, message: str) -> None:
        self.said.append(message)

    @property
    def text(self) -> str:
        return "\n".join(self.said)


@pytest.fixture
def use_store(use_features, make_features, tmp_path: Path):
    """Lets `tokenize` find these spans in its store."""

    def use(spans=SPANS, seed: int = 0) -> FeatureSet:
        return use_features(make_features(tmp_path / "features", list(spans), seed))

    return use


def tokenize(tmp_path: Path, **options: object) -> tuple[plan.Tokenized, Notes]:
    notes = Notes()
    made = plan.tokenize("store", tmp_path / "runs", **{"codebook": 256, "preset": "tiny", **options}, progress=notes)
    return made, notes


def test_the_first_call_trains_and_says_so_and_the_second_finds_all_done(use_store, tmp_path: Path) -> None:
    use_store()
    made, notes = tokenize(tmp_path)
    assert "one is trained first" in notes.text
    assert "codebook 256: 240 codes in truth" in notes.text
    assert "preset tiny" in notes.text
    assert "3 training windows, 256 rows, 64 tokens" in notes.text
    again, notes = tokenize(tmp_path, preset=None)
    assert "training the tokenizer" not in notes.said
    assert "encoding the store" not in notes.said
    assert not again.tokenizer.trained_now
    assert again.as_plain()["held_out"] == made.as_plain()["held_out"]
    assert again.corpus.path == made.corpus.path == newest_corpus(tmp_path / "runs")


def test_the_answer_names_what_was_made(use_store, tmp_path: Path) -> None:
    use_store()
    made, _ = tokenize(tmp_path)
    answer = json.loads(json.dumps(made.as_plain()))
    assert answer["codebook_size"] == 240
    assert answer["levels"] == [8, 6, 5]
    assert (answer["clips"], answer["windows"], answer["codes"]) == (5, 5, 92)
    assert Path(answer["corpus"]).is_dir()
    assert (Path(answer["tokenizer"]) / FILE).is_file()
    assert list(answer["splits"]) == ["train", "val", "test"]
    assert set(answer["evaluation"]) == {"val", "test"}
    assert len(answer["fingerprint"]) == 64
    assert "smaller codebook" in answer["advice"]  # 64 tokens cannot give twenty to each code


def test_a_matching_tokenizer_has_codebook_preset_and_representation(use_store, tmp_path: Path) -> None:
    features = use_store()
    made, _ = tokenize(tmp_path)
    runs = tmp_path / "runs"
    assert matching_tokenizer(runs, features, 256, None) == made.tokenizer.folder
    assert matching_tokenizer(runs, features, 256, "tiny") == made.tokenizer.folder
    assert matching_tokenizer(runs, features, 256, "small") is None
    assert matching_tokenizer(runs, features, 512, None) is None


def test_a_tokenizer_of_an_earlier_state_is_used_and_the_drift_is_said(
    use_store, use_features, make_features, tmp_path: Path
) -> None:
    use_store()
    tokenize(tmp_path)
    later = make_features(tmp_path / "features", [*SPANS, (80, "train")], 1)
    object.__setattr__(later, "fingerprint", "e" * 64)
    use_features(later)
    made, notes = tokenize(tmp_path)
    assert not made.tokenizer.trained_now
    assert "earlier state of this store" in notes.text
    trained = plan.train_tokenizer("store", tmp_path / "runs", codebook=256, preset="tiny")
    assert trained.trained_now
    assert trained.folder != made.tokenizer.folder


def test_training_steps_can_be_given(use_store, tmp_path: Path) -> None:
    use_store()
    notes = Notes()
    trained = plan.train_tokenizer("store", tmp_path / "runs", codebook=256, preset="tiny", steps=21, progress=notes)
    assert "begins again only from step 60 on" in notes.text
    assert trained.held_out is not None
    assert trained.held_out["step"] == 21
    with pytest.raises(ConfigError, match="does not fit into 5 steps"):
        plan.train_tokenizer("store", tmp_path / "runs", codebook=256, preset="tiny", steps=5)


def test_an_unknown_codebook_or_preset_stops_before_any_work(tmp_path: Path, use_store) -> None:
    with pytest.raises(ConfigError, match="choose one of 256, 512"):
        plan.tokenize("no store", tmp_path, codebook=1000)
    use_store()
    with pytest.raises(ConfigError, match="preset 'big' is unknown"):
        plan.tokenize("store", tmp_path, codebook=256, preset="big")


def test_a_store_without_training_windows_stops(use_store, tmp_path: Path) -> None:
    use_store([(64, "test"), (64, "val")])
    with pytest.raises(MissingInput, match="no train window"):
        tokenize(tmp_path)


@pytest.mark.parametrize("device", ["tpu", "cuda:99", "mps", "nonsense"])
def test_a_device_that_is_not_there_is_refused(device: str) -> None:
    with pytest.raises(UsageError, match=f"--device {device}"):
        choose_device(device)


def test_another_plan_in_the_same_folder_is_not_overwritten(use_store, tmp_path: Path) -> None:
    use_store()
    made, _ = tokenize(tmp_path)
    path = made.tokenizer.folder / "plan.json"
    content = json.loads(path.read_text())
    content["plan"]["seed"] = 7
    path.write_text(json.dumps(content))
    with pytest.raises(MissingInput, match=r"plan\.json cannot be read"):
        plan.train_tokenizer("store", tmp_path / "runs", codebook=256, preset="tiny")


def test_a_finished_tokenizer_asked_for_again_is_tidied_and_becomes_the_newest(use_store, tmp_path: Path) -> None:
    features = use_store()
    first, second = (
        plan.train_tokenizer("store", tmp_path / "runs", codebook=256, preset="tiny", seed=seed) for seed in (0, 1)
    )
    assert matching_tokenizer(tmp_path / "runs", features, 256, None) == second.folder
    (first.folder / STATE).write_bytes(b"left by a kill right after the end")
    again = plan.train_tokenizer("store", tmp_path / "runs", codebook=256, preset="tiny", seed=0)
    assert not again.trained_now
    assert matching_tokenizer(tmp_path / "runs", features, 256, None) == first.folder
    assert not (first.folder / STATE).exists()


def test_curves_of_a_finished_tokenizer_are_said_to_be_in_its_log(use_store, tmp_path: Path) -> None:
    use_store()
    asked = {"codebook": 256, "preset": "tiny"}
    trained = plan.train_tokenizer("store", tmp_path / "runs", **asked)
    notes = Notes()
    again = plan.train_tokenizer("store", tmp_path / "runs", **asked, tensorboard=True, progress=notes)
    assert again.folder == trained.folder
    assert f"those of this one are in {trained.folder / METRICS}" in notes.text


def test_a_tokenizer_can_be_named_by_its_folder(use_store, tmp_path: Path) -> None:
    use_store()
    trained = plan.train_tokenizer(
        "store", tmp_path / "runs", codebook=256, preset="tiny", quantizer="vq",
        changes={"quantizer": {"reset": False}, "training": {"guard_share": 0}},
    )  # fmt: skip
    best = trained.folder / "best"
    made = plan.tokenize("store", tmp_path / "runs", tokenizer=best)
    assert made.tokenizer.folder == best
    assert made.corpus.path.name.startswith(f"{trained.folder.name}-best-")
    assert made.corpus.tokenizer_path == best
    shutil.copytree(best, tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="must lie in"):
        plan.tokenize("store", tmp_path / "runs", tokenizer=tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="leave out what would choose"):
        plan.tokenize("store", tmp_path / "runs", tokenizer=best, codebook=256)
    with pytest.raises(MissingInput, match="is not there"):
        plan.tokenize("store", tmp_path / "runs", tokenizer=tmp_path)
    with pytest.raises(ConfigError, match="unknown kind of quantiser 'fqs'"):
        plan.train_tokenizer("no store", tmp_path / "runs", quantizer="fqs")
