"""Captions from text files: HumanML3D's caption lines, sidecars beside a motion, and tables that people bring.

HumanML3D writes one caption per line, `text#word/POS word/POS ...#start#end`, times in seconds inside the clip, 0.0 and
0.0 for the whole clip. Its files are read by the rules that the field has found to be needed: `nan` counts as 0, start
and end are exchanged where they are the wrong way round, equal ones mean the whole clip, an end past the clip is its end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from motionunion.clip import Caption, ClipRef
from motionunion.errors import SourceFormatError

MAX_TEXT_BYTES = 1 << 20
"""Largest caption file of one clip that is read."""


@dataclass(frozen=True, slots=True)
class CaptionLine:
    """One caption of one clip; times in seconds from the clip's start, None for both = the whole clip."""

    text: str
    tokens: str | None
    start_s: float | None
    end_s: float | None


def read_text(path: Path) -> str:
    """A small UTF-8 file as text. Raises `SourceFormatError` (`not_utf8` with the line, `too_large`)."""
    if path.stat().st_size > MAX_TEXT_BYTES:
        raise SourceFormatError(path, f"has more than {MAX_TEXT_BYTES:,} bytes", reason="too_large")
    return decode_utf8(path.read_bytes(), path)


def decode_utf8(data: bytes, path: Path) -> str:
    """UTF-8 bytes (with or without a mark) as text. Raises `SourceFormatError` (`not_utf8`) with the line."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise SourceFormatError(
            path,
            f"is not UTF-8 text (byte {data[error.start]:#04x}); save it as UTF-8",
            line=line,
            reason="not_utf8",
        ) from error


def read_humanml3d_text(path: Path, seconds: float | None) -> list[CaptionLine]:
    """Read a HumanML3D caption file.

    Args:
        path: The file.
        seconds: Length of the clip, by which ends are clamped; None where it is not known.

    Raises:
        SourceFormatError: not UTF-8, or a line without exactly four fields, without text, or with times that are no
            numbers.
    """
    lines = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if line.strip():
            parsed = _parse(line, seconds)
            if isinstance(parsed, str):
                raise SourceFormatError(path, parsed, line=number, reason="bad_caption")
            lines.append(parsed)
    return lines


def sidecar_file(ref: ClipRef) -> Path | None:
    """The `.txt` beside a motion file that bears its name, or None."""
    path = ref.path.with_suffix(".txt")
    return path if path.is_file() else None


def sidecar_captions(ref: ClipRef, seconds: float | None = None) -> tuple[Caption, ...]:
    """Captions from the `.txt` beside a motion file: plain lines, or lines as HumanML3D writes them.

    `seconds` is the clip's length, if known. No file, no captions. Raises `SourceFormatError` for a file that is not
    UTF-8.
    """
    path = sidecar_file(ref)
    if path is None:
        return ()
    captions = []
    for line in read_text(path).splitlines():
        if not line.strip():
            continue
        parsed = _parse(line, seconds)
        if isinstance(parsed, str):  # no line of HumanML3D's, hence all of it is the sentence
            parsed = CaptionLine(line.strip(), None, None, None)
        captions.append(
            Caption(uid=ref.uid, text=parsed.text, tokens=parsed.tokens, start_s=parsed.start_s, end_s=parsed.end_s,
                    layer="sidecar")
        )  # fmt: skip
    return tuple(captions)


def _parse(line: str, seconds: float | None) -> CaptionLine | str:
    """One line of HumanML3D's, or what is wrong with it."""
    fields = line.strip().split("#")
    if len(fields) != 4:
        return f"has {len(fields)} fields between '#', not 4 (text#tokens#start#end)"
    text, tokens = fields[0].strip(), fields[1].strip()
    if not text:
        return "has no text before the first '#'"
    try:
        start, end = (float(value) for value in fields[2:])
    except ValueError:
        return f"has times {fields[2]!r} and {fields[3]!r}, which are no numbers"
    start_s, end_s = clip_interval(start, end, seconds)
    return CaptionLine(text, tokens or None, start_s, end_s)


def clip_interval(start: float, end: float, seconds: float | None) -> tuple[float, float] | tuple[None, None]:
    """HumanML3D's pair of times as an interval inside the clip, or (None, None) for the whole clip.

    A start past the end of the clip is left as it stands: such a caption speaks of nothing that is there.
    """
    start, end = (0.0 if math.isnan(value) else max(value, 0.0) for value in (start, end))
    if start > end:
        start, end = end, start
    if start == end:
        return None, None
    if seconds is not None and start < seconds < end:
        end = seconds
    return start, end
