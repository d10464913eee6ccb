"""`hf`: the layout that `datasets.load_dataset(folder)` reads: `data/<split>-00000-of-00001.parquet` and a card, README.md.

The card's head names the files of each split; the validation split is called `validation` there, as everywhere on the Hub.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from motionunion.progress import Progress
from tokenizer.corpus import Corpus
from tokenizer.export.files import NewFile
from tokenizer.export.written import Written

SPLIT_NAMES = {"val": "validation"}
"""Of the Hub, where they are not ours."""


def write(corpus: Corpus, folder: Path, progress: Progress) -> Iterator[Written]:
    """The corpus's own parts under the Hub's names, and the card."""
    licences: Counter[str] = Counter()
    for split in corpus.splits:
        parts = corpus.manifest["splits"][split]["parts"]
        for number, (part, table) in enumerate(zip(parts, corpus.tables(split), strict=True)):
            if "licence" in table.column_names:
                licences.update(licence or "not stated" for licence in table.column("licence").to_pylist())
            name = f"data/{SPLIT_NAMES.get(split, split)}-{number:05d}-of-{len(parts):05d}.parquet"
            with NewFile(folder, name) as file:
                file.write(corpus.part_bytes(split, number))
            progress.advance(float(part["windows"]))
            yield Written(name, file.size, file.sha256, split, part["windows"])
    with NewFile(folder, "README.md") as file:
        file.write(_card(corpus, licences).encode())
    yield Written("README.md", file.size, file.sha256)


def _card(corpus: Corpus, licences: Counter[str]) -> str:
    manifest = corpus.manifest
    files = "".join(
        f"  - split: {SPLIT_NAMES.get(split, split)}\n    path: data/{SPLIT_NAMES.get(split, split)}-*.parquet\n"
        for split in corpus.splits
    )
    counts = "".join(
        f"| {split} | {manifest['splits'][split]['windows']:,} | {manifest['splits'][split]['tokens']:,} |\n"
        for split in corpus.splits
    )
    several = f", {corpus.codes_per_step} for each step side by side" if corpus.codes_per_step > 1 else ""
    terms = "".join(f"- {licence}: {count:,} windows\n" for licence, count in sorted(licences.items()))
    return (
        "---\n"
        "license: other\n"
        "pretty_name: Motion codes\n"
        "configs:\n"
        "- config_name: default\n"
        "  data_files:\n"
        f"{files}"
        "---\n\n"
        "# Motion codes\n\n"
        f"Human motion ({corpus.representation}) as codes of the tokenizer `{manifest['tokenizer']['name']}` "
        f"(hash `{corpus.tokenizer_hash}`).\n"
        f"Codes are 0 ... {corpus.codebook_size - 1}{several}; {manifest['rows_per_code']} rows of features to a step.\n"
        f"Corpus fingerprint `{corpus.fingerprint}`.\n\n"
        "| split | windows | codes |\n|---|---|---|\n"
        f"{counts}\n"
        "## Licences\n\nEvery row says its own in `licence`. What may be passed on follows from these, not from this file.\n\n"
        f"{terms}"
    )
