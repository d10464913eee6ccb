"""What a person sees: tables and JSON on stdout, everything else on stderr."""

from __future__ import annotations

import errno
import inspect
import io
import json
import math
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from motionunion.errors import MotionUnionError

if TYPE_CHECKING:
    from tokenizer.evaluation.table import Table


def show_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object on stdout: numbers as numbers, what is not finite as null, what JSON has no word for as text."""
    text = json.dumps(_for_json(value), indent=2, ensure_ascii=False, allow_nan=False, default=str)
    try:
        typer.echo(text)
    except BrokenPipeError:
        _nobody_reads()


def help_of(command: Callable[..., None]) -> str:
    """A command's docstring with whole paragraphs: the terminal, not the source, breaks the lines."""
    return "\n\n".join(" ".join(part.split()) for part in (inspect.getdoc(command) or "").split("\n\n"))


def show_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, note: str = "", any_width: bool = False
) -> None:
    """Print a table on stdout: first column left, numbers right. `note` stands below.

    With `any_width`, rows of more columns than have room beside each other stand one below the other, a line per column.
    """
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    class OwnConsole(Console):
        def on_broken_pipe(self) -> None:
            _nobody_reads()

    console = OwnConsole(width=None if sys.stdout.isatty() else 160, highlight=False)
    if title:  # not the table's own title, which would be broken to the width of a narrow table
        console.print(_harmless(title), style="bold", markup=False)
    if any_width and rows and _needed_width(columns, rows) > console.width:
        for number, row in enumerate(rows, start=1):
            table = Table("", "", title=f"row {number:,}", title_justify="left", box=None, show_header=False)
            for column, value in zip(columns, row, strict=True):
                table.add_row(escape(column), _cell(value))
            console.print(table)
    else:
        table = Table(box=SIMPLE, pad_edge=False)
        for number, column in enumerate(columns):
            numeric = all(isinstance(row[number], int | float | None) or _looks_numeric(row[number]) for row in rows)
            table.add_column(escape(column), justify="right" if number and numeric else "left", overflow="fold")
        for row in rows:
            table.add_row(*(_cell(value) for value in row))
        console.print(table)
    if note:
        console.print(note, style="dim")


def show_measured(
    plain: Mapping[str, Any], tables: Iterable[Table], folder: Path, files: Sequence[str], *, as_json: bool
) -> None:
    """What a command has measured, as one JSON object or as tables, and which of these files it has written of it."""
    if as_json:
        show_json(plain)
    else:
        for table in tables:
            show_table(table.title, table.columns, table.rows, note=table.note)
    say(f"written to {folder}: {', '.join(name for name in files if (folder / name).is_file())}")


def _needed_width(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> int:
    """Characters of a line in which no heading, and no value of up to 16 characters, is cut."""
    longest = (max(len(str(row[number])) for row in rows) for number in range(len(columns)))
    return sum(max(len(column), min(length, 16)) + 3 for column, length in zip(columns, longest, strict=True))


def _nobody_reads() -> NoReturn:
    """End well where the reader of a pipe has gone (`| head`): rich and typer would exit with 1."""
    _drop_output()
    raise SystemExit(0)


def _drop_output() -> None:
    """Let what is still in the buffer go nowhere: it would be written once more at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _for_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _for_json(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_for_json(one) for one in value]
    if isinstance(value, Decimal):  # DuckDB's sums of whole numbers
        value = int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def say(message: str) -> None:
    """One line for the person, on stderr."""
    typer.secho(_harmless(message), err=True)


def _harmless(text: str) -> str:
    """Text from a file, with what would command the terminal (escape sequences, backspaces) written out."""
    return text.translate(_WRITTEN_OUT)


_WRITTEN_OUT = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


def _looks_numeric(value: object) -> bool:
    text = str(value).replace(",", "").replace("±", " ").rstrip("% ").split(" ")[0]
    return text in {"", "-", "n/a"} or text.replace(".", "", 1).replace("-", "", 1).isdigit()


def _cell(value: object) -> str:
    from rich.markup import escape

    if isinstance(value, bool) or value is None:
        return "-" if value is None else ("yes" if value else "no")
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return escape(_harmless(str(value)))


def run_command(app: Callable[[], None]) -> None:
    """Run a typer app; turn our errors into one line and their exit code, and anything else into a bug report."""
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115 - closed by the caller (`>&-`)
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name of a file need not be text in the terminal's encoding
            stream.reconfigure(errors="backslashreplace")
    try:
        app()  # standalone mode: typer prints usage errors and exits 2
    except MotionUnionError as error:
        typer.secho(f"error: {_harmless(str(error))}", fg="red", err=True)
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        typer.secho("interrupted; run the same command again to go on", fg="yellow", err=True)
        raise SystemExit(130) from None
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(0) from None
    except OSError as error:
        said = _of_the_place(error)
        if said is None:
            _report_bug(error)
            raise SystemExit(1) from None
        typer.secho(f"error: {_harmless(said)}", fg="red", err=True)
        _drop_output()
        raise SystemExit(4) from None
    except Exception as error:  # noqa: BLE001 - the outermost frame: whatever arrives here is ours to explain
        _report_bug(error)
        raise SystemExit(1) from None


_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
_UNFIT = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP,
    errno.EIO, errno.ENODEV,
}  # fmt: skip


def _of_the_place(error: OSError) -> str | None:
    """What to say of an error that a disk or a path gave; None where the fault may be ours."""
    if error.errno in _FULL:
        where = error.filename or "a file or standard output"
        return f"{where}: the disk is full, or a limit is reached; make room and run the same command again"
    if error.errno in _UNFIT and error.filename:
        return (
            f"{error.filename}: {error.strerror}; make it a place that can be read and written, or name another, and run "
            "the same command again"
        )
    return None


def _report_bug(error: Exception) -> None:
    traceback.print_exc()
    message = f"bug: {type(error).__name__}: {_harmless(str(error))}\nThis is a fault of ours; please report it."
    typer.secho(message, fg="red", err=True)
