"""Frozen text encoders of Hugging Face (extra `[text]`), their features cached once for each caption.

`google/flan-t5-xl` is the paper's. The whole caption is tokenised, cut at the tokenizer's own limit, encoded in float32, and
then its features are cut to 150. Batching does not change a caption's features: padding is masked.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from motionunion.digest import TEMPORARY_PREFIX, canonical_json, sha256_file, sha256_hex
from motionunion.errors import MissingExtra, MissingInput, MotionUnionError
from scamo.checkpoint import write_whole
from scamo.text import MAX_FEATURES, TextEncoder

BATCH = 32
"""Captions encoded at once."""
PACK = 1024
"""Captions in one file of the cache."""


class FeatureCache:
    """Features on disk, by caption: immutable files of up to 1,024 captions, memory-mapped.

    A lost or damaged file costs only the encoding of its captions; what a killed write left behind is not looked at.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._place: dict[str, Path] = {}
        self._open: dict[Path, Any] = {}
        for path in sorted(folder.glob("*.safetensors")):
            if not path.name.startswith(TEMPORARY_PREFIX):
                self._read_names(path)

    def __contains__(self, caption: str) -> bool:
        return self._key(caption) in self._place

    def __getitem__(self, caption: str) -> Tensor:
        key = self._key(caption)
        path = self._place[key]
        if path not in self._open:
            self._open[path] = safe_open(path, "pt")  # stays open: each file is read a great many times
        tensor: Tensor = self._open[path].get_tensor(key)
        return tensor

    def add(self, features: dict[str, Tensor]) -> None:
        """Keep the features of some captions."""
        tensors = {self._key(caption): rows.contiguous() for caption, rows in features.items()}
        name = sha256_hex("".join(sorted(tensors)).encode())[:32]
        path = self.folder / f"{name}.safetensors"
        write_whole(path, lambda temporary: save_file(tensors, temporary))
        self._place.update(dict.fromkeys(tensors, path))

    def _read_names(self, path: Path) -> None:
        try:
            with safe_open(path, "pt") as file:
                self._place.update(dict.fromkeys(file.keys(), path))
        except SafetensorError:
            path.unlink(missing_ok=True)  # damaged: its captions are encoded again

    @staticmethod
    def _key(caption: str) -> str:
        return hashlib.sha256(caption.encode()).hexdigest()


class PretrainedEncoder:
    """One frozen encoder; the network itself is loaded when the first caption is not in the cache."""

    def __init__(self, name: str, cache_root: Path, device: torch.device) -> None:
        self._transformers = _import_transformers()
        self.name = name
        self.device = device
        config = self._from_hub(self._transformers.AutoConfig)
        self.id = encoder_id(name, getattr(config, "_commit_hash", None))
        text_config = config.get_text_config(encoder=True)
        self.width = int(getattr(text_config, "d_model", None) or text_config.hidden_size)
        self._config = config
        self._network: Any = None
        self._tokenizer: Any = None
        self._cache = FeatureCache(cache_root / sha256_hex(self.id.encode())[:16])

    def features(self, captions: Sequence[str]) -> list[Tensor]:
        """Features (n, width) of each caption, float32 on the CPU, from the cache where they are there."""
        missing = sorted({caption for caption in captions if caption not in self._cache})
        for start in range(0, len(missing), PACK):
            self._cache.add(self._encode(missing[start : start + PACK]))
        return [self._cache[caption] for caption in captions]

    @torch.no_grad()
    def _encode(self, captions: Sequence[str]) -> dict[str, Tensor]:
        network, tokenizer = self._load()
        found: dict[str, Tensor] = {}
        # Captions of like length together, so that little of a batch is padding.
        ordered = sorted(captions, key=len)
        for start in range(0, len(ordered), BATCH):
            some = ordered[start : start + BATCH]
            tokens = tokenizer(some, padding=True, truncation=True, return_tensors="pt").to(self.device)
            states = network(input_ids=tokens.input_ids, attention_mask=tokens.attention_mask).last_hidden_state
            for caption, rows, real in zip(some, states.float().cpu(), tokens.attention_mask.cpu(), strict=True):
                kept = rows[real.bool()][:MAX_FEATURES].clone()
                if not len(kept) or not bool(kept.isfinite().all()):
                    raise MotionUnionError(f"text encoder {self.name}: no finite features for the caption {caption!r}")
                found[caption] = kept
        return found

    def _load(self) -> tuple[Any, Any]:
        if self._network is None:
            kinds = {
                "t5": "T5EncoderModel",
                "mt5": "MT5EncoderModel",
                "umt5": "UMT5EncoderModel",
                "clip": "CLIPTextModel",
            }
            kind = getattr(self._transformers, kinds.get(self._config.model_type, "AutoModel"))
            network = self._from_hub(kind, dtype=torch.float32)
            if self._config.is_encoder_decoder and kind is self._transformers.AutoModel:
                network = network.get_encoder()
            self._network = network.eval().requires_grad_(False).to(self.device)
            self._tokenizer = self._from_hub(self._transformers.AutoTokenizer)
        return self._network, self._tokenizer

    def _from_hub(self, kind: Any, **options: Any) -> Any:
        try:
            return kind.from_pretrained(self.name, **options)
        except (OSError, ValueError) as error:
            raise MissingInput(
                f"--text {self.name}: {kind.__name__} cannot be loaded ({str(error).splitlines()[0]}); give the folder of a "
                "downloaded encoder, the name of one that Hugging Face has, or `words`"
            ) from error


def encoder_id(name: str, commit: str | None) -> str:
    """Identity of an encoder: name and commit of the hub, or a hash of a local folder's configuration and weights."""
    folder = Path(name)
    if not folder.is_dir():
        return f"{name}@{commit or 'unknown'}"
    files = sorted(path for path in folder.iterdir() if re.search(r"\.(json|model|txt|safetensors|bin)$", path.name))
    return f"local@{sha256_hex(canonical_json({path.name: sha256_file(path) for path in files}))[:32]}"


def open_text_encoder(name: str, runs: Path, device: torch.device) -> TextEncoder:
    """A pretrained encoder by name or folder; its features are cached below `runs/text-features/`."""
    return PretrainedEncoder(name, runs / "text-features", device)


def _import_transformers() -> Any:
    try:
        import transformers  # heavy, and an extra: only those who ask for it load it
    except ImportError as error:
        raise MissingExtra("transformers", "text") from error
    return transformers
