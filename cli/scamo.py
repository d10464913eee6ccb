"""`scamo`: from a store to a text-to-motion model and its evaluation."""

from __future__ import annotations

from collections.abc import Callable

import typer

from cli.corpus import decode, export_corpus
from cli.evaluate import evaluate_humanml3d
from cli.evaluate_tokenizer import evaluate_tokenizer
from cli.import_weights import import_weights
from cli.show import help_of, run_command
from cli.sweep import sweep_tokenizer
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

_COMMANDS: dict[str, Callable[..., None]] = {
    "tokenize": tokenize,
    "train-tokenizer": train_tokenizer,
    "train-ar": train_ar,
    "generate": generate,
    "import": import_weights,
    "export-corpus": export_corpus,
    "decode": decode,
}
_EVALUATIONS: dict[str, Callable[..., None]] = {"humanml3d": evaluate_humanml3d, "tokenizer": evaluate_tokenizer}
evaluation = typer.Typer(help="Evaluate a trained model, or a tokenizer by itself.", no_args_is_help=True)
sweeps = typer.Typer(help="Train many models by one recipe, and compare them.", no_args_is_help=True)

for name, command in _COMMANDS.items():
    app.command(name, help=help_of(command))(command)
for name, command in _EVALUATIONS.items():
    evaluation.command(name, help=help_of(command))(command)
sweeps.command("tokenizer", help=help_of(sweep_tokenizer))(sweep_tokenizer)
app.add_typer(evaluation, name="eval")
app.add_typer(sweeps, name="sweep")


def main() -> None:
    """Entry point of the console script."""
    run_command(app)


if __name__ == "__main__":  # `torchrun -m cli.scamo train-ar`
    main()
