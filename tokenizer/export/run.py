"""One export: a folder of files and `export.json`, written last, that says where they come from and what they hash to."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from motionunion.digest import TEMPORARY_PREFIX, canonical_json, sha256_hex, write_atomic
from motionunion.errors import MissingInput, UsageError
from motionunion.progress import SILENT, Progress
from tokenizer.corpus import Corpus
from tokenizer.export.formats import FORMATS
from tokenizer.export.written import Written

MANIFEST = "export.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What an export wrote."""

    folder: Path
    manifest: dict[str, Any]

    def as_plain(self) -> dict[str, Any]:
        """As JSON types."""
        return {"folder": str(self.folder), **self.manifest}


def export_corpus(corpus: Corpus, format_name: str, folder: Path, progress: Progress = SILENT) -> Exported:
    """Write a corpus in another form. Every byte that is read is verified; the same corpus gives the same bytes.

    Args:
        corpus: A finished one.
        format_name: One of `FORMATS`.
        folder: A new or empty folder, or one that an export of this corpus in this format was written to or begun in.
        progress: Told of windows.

    Raises:
        UsageError: No such format, or the folder holds something else.
        MissingInput: If a file of the corpus is missing or damaged, or the folder cannot be written.
    """
    if format_name not in FORMATS:
        raise UsageError(f"format: {format_name!r} is not one of {', '.join(FORMATS)}")
    form = FORMATS[format_name]
    folder = Path(folder)
    identity = {"format": format_name, "corpus": corpus.fingerprint}
    try:
        _claim(folder, identity)
        progress.start(f"exporting as {format_name}", _windows(corpus), "windows")
        try:
            files = list(form.write(corpus, folder, progress))
        finally:
            progress.finish()
        manifest = {
            **identity,
            "tokenizer": corpus.manifest["tokenizer"],
            "representation": corpus.manifest["representation"],
            "codebook_size": corpus.codebook_size,
            "codes_per_step": corpus.codes_per_step,
            "splits": {split: _of_split(corpus, split) for split in corpus.splits},
            **form.about(corpus),
            "files": [asdict(file) for file in files],
        }
        manifest["sha256"] = sha256_hex(canonical_json(manifest))
        _tidy(folder, files)
        write_atomic(folder / MANIFEST, json.dumps(manifest, indent=2, sort_keys=True).encode() + b"\n")
    except OSError as error:
        raise MissingInput(
            f"{error.filename or folder}: cannot be written ({error.strerror or error}); make room or permission, or name "
            "another folder with --out"
        ) from error
    return Exported(folder=folder, manifest=manifest)


def _windows(corpus: Corpus) -> float:
    return float(sum(corpus.manifest["splits"][split]["windows"] for split in corpus.splits))


def _of_split(corpus: Corpus, split: str) -> dict[str, int]:
    described = corpus.manifest["splits"][split]
    return {"windows": described["windows"], "codes": described["tokens"]}


def _claim(folder: Path, identity: dict[str, str]) -> None:
    """Write down what the folder is for, before anything else; what holds something else is left alone."""
    marker = folder / MANIFEST
    if marker.is_file():
        try:
            found = json.loads(marker.read_bytes())
            same = {name: found[name] for name in identity} == identity
        except (ValueError, KeyError, TypeError):
            same = False
        if not same:
            raise UsageError(f"{folder} holds another export; name another folder with --out, or remove it")
    # One that was killed while it claimed the folder leaves the beginning of the marker.
    elif folder.exists() and not (
        folder.is_dir() and all(path.name.startswith(TEMPORARY_PREFIX) for path in folder.iterdir())
    ):
        raise UsageError(f"{folder} is there and holds no export; name a new folder with --out")
    write_atomic(marker, json.dumps({**identity, "unfinished": True}).encode())


def _tidy(folder: Path, files: list[Written]) -> None:
    """Remove what a killed export left behind."""
    for place in {(folder / file.file).parent for file in files} | {folder}:
        for path in place.glob(f"{TEMPORARY_PREFIX}*"):
            path.unlink(missing_ok=True)
