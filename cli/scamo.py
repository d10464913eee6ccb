"""`scamo`: from a store to a text-to-motion model and its evaluation."""

from __future__ import annotations

import typer

from cli.evaluate import evaluate
from cli.show import help_of, run_command
from cli.tokenizer import tokenize, train_tokenizer
from cli.transformer import generate, train_ar

app = typer.Typer(
    name="scamo",
    help="Tokenize a motion store, train the reference text-prefix transformer, generate and evaluate.",
    epilog="In order: `scamo tokenize --codebook 65536`, `scamo train-ar`, `scamo eval humanml3d`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

for name, command in (
    ("tokenize", tokenize),
    ("train-tokenizer", train_tokenizer),
    ("train-ar", train_ar),
    ("generate", generate),
    ("eval", evaluate),
):
    app.command(name, help=help_of(command))(command)


def main() -> None:
    """Entry point of the console script."""
    run_command(app)


if __name__ == "__main__":  # `torchrun -m cli.scamo train-ar`
    main()
