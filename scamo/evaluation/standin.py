"""A stand-in for the published evaluator: the same networks, trained on the store's own training split.

It tells whether motions fit their captions *as this store pairs them*, and nothing that could be compared with a paper.
Where we differ from Guo et al.: the movement encoder is trained with the rest instead of coming frozen from an
auto-encoder; word vectors are fixed random directions instead of GloVe; and the loss is the symmetric InfoNCE (van den
Oord et al. 2018) over negative squared distances instead of the margin loss with d² and max(0, 10 - d)², because it
ranks a whole batch at once and settles within a few hundred steps. Equal captions in a batch are no negatives.

Batches, crops and dropout of step s are functions of (seed, s): a killed training goes on to the same weights.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

import manifests
from motionunion.digest import canonical_json, sha256_file, sha256_hex, write_atomic
from motionunion.errors import ConfigError, MissingInput
from motionunion.progress import SILENT, Progress
from scamo.checkpoint import load_state, save_state
from scamo.evaluation.evaluator import MAX_FRAMES, SEEN_BEHIND, Evaluator
from scamo.evaluation.networks import EvaluatorConfig, EvaluatorNetworks
from scamo.evaluation.protocol import Draw, Item, draw_with
from scamo.evaluation.words import Sentence, hashed_vocabulary, tagged_words
from tokenizer.runs import remove_leftovers

FILE = "model.safetensors"
FORMAT = "standin-evaluator/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class StandinConfig:
    """How a stand-in is trained."""

    steps: int
    batch: int
    """Pairs that compete in one step."""
    learning_rate: float
    warmup_steps: int = 0
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    temperature: float = 0.0625
    """Squared distances are divided by this times the embedding's width before the softmax."""
    save_every: int = 100

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "learning_rate", "clip_norm", "temperature", "save_every"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"standin.{name}: must be positive, got {getattr(self, name)}")
        if not 0 <= self.warmup_steps < self.steps:
            raise ConfigError(f"standin.warmup_steps: {self.warmup_steps} does not end within {self.steps} steps")

    def rate(self, step: int) -> float:
        """Learning rate: linear warm-up, then a cosine to zero."""
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / self.warmup_steps
        done = (step - self.warmup_steps) / (self.steps - self.warmup_steps)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * done))


def choose_preset(device: str) -> tuple[str, str]:
    """Name of the preset for a device type (`cpu`, `cuda`), and why.

    Raises:
        ConfigError: If the table has no line for the device.
    """
    for choice in manifests.presets("evaluator")["choice"]:
        if choice["device"] == device:
            return choice["preset"], choice["why"]
    raise ConfigError(f"no stand-in evaluator is laid down for the device {device!r}; use cpu or cuda")


def preset(name: str) -> tuple[EvaluatorConfig, StandinConfig]:
    """Widths and training of a named preset."""
    table = manifests.presets("evaluator")["presets"]
    if name not in table:
        raise ConfigError(f"evaluator preset {name!r} is not known; there are {', '.join(sorted(table))}")
    return EvaluatorConfig(**table[name]["networks"]), StandinConfig(**table[name]["training"])


class Trainer:
    """Trains a stand-in on items of the training split, step by step."""

    def __init__(
        self,
        items: Sequence[Item],
        values: npt.NDArray[np.float32],
        mean: npt.NDArray[np.float64],
        std: npt.NDArray[np.float64],
        widths: EvaluatorConfig,
        config: StandinConfig,
        seed: int,
        device: torch.device,
    ) -> None:
        self.items, self.values, self.config, self.seed = items, values, config, seed
        captions = [caption for item in items for caption in item.captions]
        vocabulary = hashed_vocabulary(word for c in captions for word, _ in tagged_words(c.text, c.tokens))
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)  # `torch.manual_seed` would seed the GPUs as well
            networks = EvaluatorNetworks(widths).to(device)
        self.evaluator = Evaluator(
            networks=networks, vocabulary=vocabulary, mean=mean, std=std, official=False, digest="", description=""
        )
        self.sentences: dict[tuple[str, str | None], Sentence] = {
            (c.text, c.tokens): vocabulary.read(tagged_words(c.text, c.tokens)) for c in captions
        }
        self.texts = [frozenset(_plain(caption.text) for caption in item.captions) for item in items]
        self.optimiser = torch.optim.AdamW(networks.parameters(), weight_decay=config.weight_decay)
        self.step = 0

    def batch_of(self, step: int) -> list[tuple[int, Draw]]:
        """Positions and draws of one step: each epoch is a permutation, its last partial batch left out."""
        size = min(self.config.batch, len(self.items))
        epoch, place = divmod(step, len(self.items) // size)
        order = np.random.default_rng([self.seed, 1, epoch]).permutation(len(self.items))
        generator = np.random.default_rng([self.seed, 2, step])
        return [(int(i), draw_with(self.items[i], generator)) for i in order[place * size : (place + 1) * size]]

    def train_step(self) -> float:
        """One step; returns its loss."""
        batch = self.batch_of(self.step)
        networks, device = self.evaluator.networks, self.evaluator.device
        cuda = [device.index or 0] if device.type == "cuda" else []
        with torch.random.fork_rng(devices=cuda):
            # Dropout, too, is decided by (seed, step).
            torch.manual_seed(int(np.random.default_rng([self.seed, 3, self.step]).integers(2**63)))
            networks.train()
            # Frames that no convolution reaches would only cost time.
            frames = min(MAX_FRAMES, max(draw.rows for _, draw in batch) + SEEN_BEHIND)
            motions = networks.embed_motions(
                *self.evaluator.lay_out([draw.motion(self.values) for _, draw in batch], frames)
            )
            sentences = [self.sentences[draw.caption.text, draw.caption.tokens] for _, draw in batch]
            texts = networks.embed_texts(*self.evaluator.look_up(sentences))
        chosen = [_plain(draw.caption.text) for _, draw in batch]
        fits = torch.tensor([[text in self.texts[index] for index, _ in batch] for text in chosen], device=device)
        loss = contrastive_loss(texts, motions, fits, self.config.temperature * networks.config.embedding)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(networks.parameters(), self.config.clip_norm)
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.rate(self.step)
        self.optimiser.step()
        self.step += 1
        return float(loss.detach())

    def state(self) -> dict[str, Any]:
        """What `resume` needs."""
        return {
            "step": self.step,
            "networks": self.evaluator.networks.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.evaluator.networks.load_state_dict(state["networks"], strict=True)
        self.optimiser.load_state_dict(state["optimiser"])
        self.step = int(state["step"])


def contrastive_loss(texts_BE: Tensor, motions_BE: Tensor, fits_BB: Tensor, temperature: float) -> Tensor:
    """Symmetric InfoNCE over -d²/temperature; `fits_BB[i, j]`: text i is also a caption of motion j, so no negative."""
    squares = (texts_BE[:, None] - motions_BE[None, :]).square().sum(-1)
    own = torch.eye(len(squares), dtype=torch.bool, device=squares.device)
    logits = (-squares / temperature).masked_fill(fits_BB & ~own, -torch.inf)
    target = torch.arange(len(squares), device=squares.device)
    cross_entropy = torch.nn.functional.cross_entropy
    return 0.5 * (cross_entropy(logits, target) + cross_entropy(logits.T, target))


def train_or_load(
    folder: Path,
    items: Sequence[Item],
    values: npt.NDArray[np.float32],
    *,
    mean: npt.NDArray[np.float64],
    std: npt.NDArray[np.float64],
    features_key: str,
    preset_name: str,
    seed: int = 0,
    device: torch.device | str = "cpu",
    progress: Progress = SILENT,
) -> Evaluator:
    """The stand-in of this store, preset and seed: kept, resumed or trained now.

    Args:
        folder: `runs/evaluators`; the stand-in has a folder of its own in it, named by the hash of its plan.
        items: Captioned windows of the training split, and of no other.
        values: Features (rows, D) that the items point into.
        mean, std: Statistics (D,) of the training split.
        features_key: Of the feature set that `values` belongs to: store, spans, representation and its parameters.

    Raises:
        MissingInput: If fewer than two different captions are there to tell apart.
    """
    device = torch.device(device)
    widths, config = preset(preset_name)
    if len({_plain(caption.text) for item in items for caption in item.captions}) < 2:
        raise MissingInput(
            "a stand-in evaluator needs captioned motion of the training split with at least two different captions; "
            "bring captions with `motionunion captions import FILE` or ingest a HumanML3D folder"
        )
    # Torch's kernels differ between devices and versions, so a stand-in is kept apart for each.
    plan = {
        "what": FORMAT, "features": features_key, "preset": preset_name, "networks": asdict(widths),
        "training": asdict(config), "seed": seed, "device": device.type, "torch": torch.__version__,
        "items": sha256_hex(canonical_json([[item.item_id, item.rows, len(item.captions)] for item in items])),
    }  # fmt: skip
    home = folder / f"standin-{sha256_hex(canonical_json(plan))[:12]}"
    if (home / FILE).is_file():
        return load(home, device=device)
    write_atomic(home / "plan.json", json.dumps(plan, indent=2).encode())
    trainer = Trainer(items, values, mean, std, widths, config, seed, device)
    state_file = home / "state.pt"
    if (state := load_state(state_file)) is not None:
        trainer.resume(state)
        progress.note(f"stand-in evaluator: going on at step {trainer.step} of {config.steps}")
    progress.start("training a stand-in evaluator", config.steps, "steps")
    progress.advance(trainer.step)
    loss = math.nan
    while trainer.step < config.steps:
        loss = trainer.train_step()
        progress.advance(1, loss=loss)
        if trainer.step % config.save_every == 0 and trainer.step < config.steps:
            save_state(state_file, trainer.state())
    progress.finish()
    about = {
        "format": FORMAT, "networks": asdict(widths), "items": len(items), "preset": preset_name,
        "words": [word for word, _ in sorted(trainer.evaluator.vocabulary.row.items(), key=lambda pair: pair[1])],
    }  # fmt: skip
    tensors = {name: tensor.cpu().contiguous() for name, tensor in trainer.evaluator.networks.state_dict().items()}
    tensors |= {"statistics.mean": torch.from_numpy(mean), "statistics.std": torch.from_numpy(std)}
    write_atomic(home / FILE, save(tensors, metadata={"evaluator": canonical_json(about).decode()}))
    state_file.unlink(missing_ok=True)
    remove_leftovers(home)
    return load(home, device=device)


def load(home: Path, *, device: torch.device | str = "cpu") -> Evaluator:
    """Read a stand-in from its folder.

    Raises:
        MissingInput: If the file is not there or cannot be read as one.
    """
    path = home / FILE
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {})["evaluator"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        mean, std = tensors.pop("statistics.mean").numpy(), tensors.pop("statistics.std").numpy()
        networks = EvaluatorNetworks(EvaluatorConfig(**about["networks"]))
        networks.load_state_dict(tensors, strict=True)
        vocabulary = hashed_vocabulary(about["words"])
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError, ConfigError) as error:
        raise MissingInput(f"{path} is not a stand-in evaluator that can be read ({error}); delete {home}") from error
    return Evaluator(
        networks=networks.eval().requires_grad_(False).to(device),
        vocabulary=vocabulary,
        mean=mean,
        std=std,
        official=False,
        digest=sha256_file(path),
        description=f"stand-in ({about['preset']}), trained on {about['items']:,} windows of this store's training split",
    )


def _plain(text: str) -> str:
    return " ".join(text.lower().split()).rstrip(".")
