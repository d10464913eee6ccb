"""`scamo import`: a published checkpoint becomes a tokenizer of ours, in a run folder like any other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from motionunion.digest import canonical_json, sha256_file, sha256_hex
from motionunion.errors import MissingInput, UsageError
from motionunion.representations import registry
from tokenizer.checkpoint import FILE, Tokenizer
from tokenizer.config import as_plain
from tokenizer.presets import DEFAULT_REPRESENTATION
from tokenizer.published.architecture import Hints, checked
from tokenizer.published.checkpoint_file import Weights, read_checkpoint
from tokenizer.published.momask import MOMASK
from tokenizer.published.motionmillion import MOTIONMILLION
from tokenizer.published.project import Project
from tokenizer.published.scamo import SCAMO
from tokenizer.published.statistics import find_statistics
from tokenizer.published.t2mgpt import T2MGPT
from tokenizer.quantizers import quantizer_named
from tokenizer.quantizers.fsq import FSQConfig
from tokenizer.runs import TOKENIZERS, open_run, remove_leftovers

PROJECTS = (SCAMO, T2MGPT, MOMASK, MOTIONMILLION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import made."""

    project: Project
    folder: Path
    tokenizer: Tokenizer

    def as_plain(self) -> dict[str, Any]:
        """As JSON has it."""
        config = self.tokenizer.model.config
        return {
            "project": self.project.name,
            "title": self.project.title,
            "paper": self.project.paper,
            "tokenizer": self.folder.name,
            "folder": str(self.folder),
            "representation": self.tokenizer.representation,
            "codebook": self.tokenizer.codebook,
            "codebook_size": self.tokenizer.codebook_size,
            "codes_per_step": config.codes_per_step,
            "rows_per_code": config.rows_per_code,
            "parameters": sum(weight.numel() for weight in self.tokenizer.model.parameters()),
            "model": as_plain(config),
            "hash": self.tokenizer.hash,
            "next": self.next_command(),
        }

    def next_command(self) -> str | None:
        """The `scamo tokenize` that would use this tokenizer; None where its quantiser is not one that the command can name."""
        quantizer, codebook = self.tokenizer.model.config.quantizer, self.tokenizer.codebook
        if quantizer_named(quantizer.kind, codebook) != quantizer:
            return None
        words = ["scamo tokenize", f"--codebook {codebook}"]
        if quantizer.kind != FSQConfig.kind:
            words.append(f"--quantizer {quantizer.kind}")
        if self.tokenizer.representation != DEFAULT_REPRESENTATION:
            words.append(f"--representation {self.tokenizer.representation}")
        return " ".join(words)


def import_weights(
    path: Path,
    runs: Path,
    *,
    statistics: Path | None = None,
    representation: str | None = None,
    codebook: int | None = None,
    norm: str | None = None,
    layers: int | None = None,
) -> Imported:
    """Turn a published checkpoint into `runs/tokenizers/<project>-<codebook>-<hash>/tokenizer.safetensors`.

    The project and the network's shape follow from the file's keys; every key and shape must then be there, and no other.
    Importing the same file again finds the same folder.

    Args:
        path: The checkpoint (`.pth`, `.tar`).
        runs: Folder of all runs.
        statistics: Folder of `mean.npy` and `std.npy`; looked for beside the checkpoint where it is None.
        representation: What rows the tokenizer takes; the published form of as many features where it is None.
        codebook: Nominal size, where neither file nor name tells it, or it is none that was published.
        norm: LN or GN, where a network of a project that has none comes with one.
        layers: Codebooks of an RVQ, where they are not the published six.

    Raises:
        MissingInput: For a file that is no such checkpoint, in whatever way, or has no statistics.
        UsageError: If something has to be said that no file says.
    """
    weights = read_checkpoint(path)
    project = _project_of(path, weights)
    mean_D, std_D = find_statistics(path, statistics)
    hints = Hints(file=path.name, features=len(mean_D), codebook=codebook, norm=norm, layers=layers)
    reading = project.read(weights, hints)
    model = checked(reading.weights, reading.config, hints)
    known = registry.get(representation or _representation_of(len(mean_D)))
    if known.dims != len(mean_D):
        raise UsageError(f"{known.id} has rows of {known.dims} numbers, and {path.name} takes {len(mean_D)}")
    provenance = {
        "imported_from": path.name,
        "sha256": sha256_file(path),
        "project": project.name,
        "paper": project.paper,
        "statistics": sha256_hex(canonical_json([mean_D.tolist(), std_D.tolist()])),
    }
    tokenizer = Tokenizer(
        model,
        mean_D=mean_D,
        std_D=std_D,
        representation=known.id,
        parameter_hash=known.parameter_hash,
        codebook=reading.codebook,
        provenance=provenance,
    )
    return Imported(
        project=project, folder=_keep(tokenizer, runs, f"{project.name}-{reading.codebook}"), tokenizer=tokenizer
    )


def _keep(tokenizer: Tokenizer, runs: Path, label: str) -> Path:
    """Write the tokenizer where it is not there yet, and read it back: what was written is what was imported."""
    plan = {"command": "import", "tokenizer": tokenizer.hash, **tokenizer.provenance}
    folder = open_run(runs / TOKENIZERS, label, plan)
    if not (folder / FILE).exists():
        tokenizer.save(folder)
    remove_leftovers(folder)
    if Tokenizer.load(folder).hash != tokenizer.hash:
        raise MissingInput(f"{folder / FILE} is not what was imported; move the folder away and import again")
    return folder


def _project_of(path: Path, weights: Weights) -> Project:
    for project in PROJECTS:
        if project.recognises(weights):
            return project
    known = "; ".join(f"{project.title} ({project.signature})" for project in PROJECTS)
    raise MissingInput(
        f"{path} holds no tokenizer that is known by its keys. Known are {known}. Its own begin with "
        f"{', '.join(sorted(weights)[:3]) or 'nothing'}"
    )


def _representation_of(features: int) -> str:
    """The published form of rows of so many numbers."""
    fitting = [name for name in registry.ids() if registry.get(name).dims == features]
    published = [name for name in fitting if name.endswith("/compat")] or fitting
    if len(published) != 1:
        raise UsageError(
            f"rows of {features} numbers are {' or '.join(published) or 'no representation that is known here'}; say which "
            "with --representation"
        )
    return published[0]
