"""The table of sources in `docs/sources.md`, made from the manifests: `python -m manifests.table docs/sources.md`.

One row per manifest, and below it one per part of a data set that is used under a name of its own (`[[parts]]` with
`name` and whatever differs from the whole). The text around the table is the page's own.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from manifests import source_manifest, source_names

BEGIN = "<!-- made by `python -m manifests.table docs/sources.md`: edit manifests/sources/*.toml instead -->"
END = "<!-- end of the table -->"

TESTED = ("real files", "files of the same layout", "not released", "not read")
"""What a manifest may say under `tested`; the last two have `reader = "none"`."""

HEADER = ("source", "read as", "files", "fps", "up, unit", "captions", "licence", "tested on")

_NEEDED = (
    "title",
    "authors",
    "home",
    "licence",
    "redistributable",
    "format",
    "fps",
    "captions",
    "split",
    "reader",
    "tested",
)


def table() -> str:
    """The whole table, in Markdown."""
    rows = [row for name in sorted(source_names(), key=_place) for row in manifest_rows(name)]
    lines = [HEADER, ["---"] * len(HEADER), *rows]
    return "".join(f"| {' | '.join(map(_cell, line))} |\n" for line in lines)


def manifest_rows(name: str) -> list[list[str]]:
    """Rows of one source: its own, and one for each of its parts.

    Raises:
        ValueError: the manifest lacks a key that the table shows, or says of `tested` what is no answer.
    """
    manifest = source_manifest(name)
    missing = [key for key in _NEEDED if key not in manifest]
    if missing or manifest["tested"] not in TESTED:
        wrong = (
            f"has no {', '.join(missing)}" if missing else f"says tested = {manifest['tested']!r}, not one of {TESTED}"
        )
        raise ValueError(f"manifests/sources/{name}.toml: {wrong}")
    parts = manifest.get("parts", [])
    return [
        _row(name, manifest["title"], manifest),
        *(_row(name, f"{manifest['title']}: {part['name']}", {**manifest, **part}) for part in parts),
    ]


def page_with_table(page: str) -> str:
    """A page's text with the table between its two marks made anew. Raises `ValueError` for a page without them."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no place for the table, which is between {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{table()}\n{END}{after}"


def _row(name: str, title: str, manifest: Mapping[str, Any]) -> list[str]:
    read_as = f"`{name}`" if manifest["reader"] != "none" else "-"
    home = str(manifest["home"])
    return [
        f"[{title}]({home})" if home.startswith("http") else title,
        read_as,
        str(manifest["format"]),
        str(manifest["fps"]),
        _axes(manifest),
        str(manifest["captions"]),
        f"{manifest['licence']}{'' if manifest['redistributable'] else ' (not to be passed on)'}",
        str(manifest["tested"]),
    ]


def _axes(manifest: Mapping[str, Any]) -> str:
    up, unit_m = manifest.get("up"), manifest.get("unit_m")
    if up is None:
        return "-"
    words = {1.0: "metres", 0.01: "centimetres", 0.001: "millimetres"}
    unit = words.get(unit_m, f"{unit_m:.5g} m") if isinstance(unit_m, float) else unit_m
    return f"{up}, {unit}" if unit is not None else str(up)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _place(name: str) -> tuple[bool, str]:
    """What is read before what is not."""
    return source_manifest(name).get("reader") == "none", name


def main(arguments: Sequence[str]) -> None:
    """Print the table, or put it into the page that is named."""
    if not arguments:
        sys.stdout.write(table())
        return
    path = Path(arguments[0])
    path.write_text(page_with_table(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
