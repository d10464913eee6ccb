"""`motionunion`: motion data in, one store out."""

from __future__ import annotations

import typer

from cli.captions import import_captions
from cli.convert import convert
from cli.history import diff, gc, log
from cli.ingest import ingest
from cli.sample import sample
from cli.show import help_of, run_command
from cli.skeleton import inspect
from cli.store import check, query, show, stats
from cli.upkeep import compact, drop, merge

app = typer.Typer(
    name="motionunion",
    help="Bring human motion data from many sources into one store: read, normalise, check, look, query.",
    epilog="Start with `motionunion sample .` and `motionunion ingest amass/`, or ingest what you have.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
captions = typer.Typer(help="Bring your own captions.", no_args_is_help=True)
skeleton = typer.Typer(help="Look at a motion file's skeleton, known or not.", no_args_is_help=True)

for command in (ingest, stats, check, query, show, convert, sample, log, diff, gc, compact, merge, drop):
    app.command(help=help_of(command))(command)
captions.command("import", help=help_of(import_captions))(import_captions)
app.add_typer(captions, name="captions")
skeleton.command("inspect", help=help_of(inspect))(inspect)
app.add_typer(skeleton, name="skeleton")


def main() -> None:
    """Entry point of the console script."""
    run_command(app)
