"""`scamo train-ar` and `scamo generate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.options import DEFAULT_RUNS, DeviceOption, JsonOption, RunsOption, SeedOption
from cli.progress import TerminalProgress
from cli.show import say, show_json, show_table


def train_ar(
    model: Annotated[
        str | None,
        typer.Option(
            "--model", help="Size: tiny, 44M, 111M, 343M, 775M, 1B or 3B. Chosen by corpus and device if not given."
        ),
    ] = None,
    text: Annotated[
        str,
        typer.Option("--text", help="Text encoder: `words` (built in), or one of Hugging Face by name or folder."),
    ] = "words",
    corpus: Annotated[
        Path | None,
        typer.Option("--corpus", help="Folder of a corpus; the newest one if not given.", show_default=False),
    ] = None,
    softmax: Annotated[
        str,
        typer.Option("--softmax", help="Codes that the model can produce: `seen` in training, `all`, or `auto`."),
    ] = "auto",
    steps: Annotated[
        int | None,
        typer.Option("--steps", min=1, help="Training steps; from a fixed table if not given.", show_default=False),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option("--learning-rate", help="Highest learning rate; the size's own if not given.", show_default=False),
    ] = None,
    device: DeviceOption = None,
    seed: SeedOption = 0,
    runs: RunsOption = DEFAULT_RUNS,
    as_json: JsonOption = False,
) -> None:
    """Train the text-to-motion transformer on the newest corpus.

    Size, batch and number of steps follow from the size of the corpus and the device by a fixed table, and are printed with
    the reason. Killed or interrupted, the same command goes on where it was; finished, it says so. The step with the best
    validation loss is kept.

    Several GPUs: `torchrun --nproc-per-node 8 --no-python scamo train-ar`.
    """
    from scamo.plan import train_ar as train  # torch loads here, not for --help

    with TerminalProgress() as progress:
        report = train(
            runs,
            model=model,
            text=text,
            corpus=corpus,
            device=device,
            steps=steps,
            learning_rate=learning_rate,
            softmax=softmax,
            seed=seed,
            progress=progress,
        )
    result = report.as_dict()
    if as_json:
        show_json(result)
        return
    figures = result["figures"]
    overall = f"{figures['l_u']:+.3f}"
    if not result["l_u_overall_is_headline"]:
        overall += "  (5 % or more unseen: this measures the smoothing, read the line above)"
    show_table(
        f"{'Already trained' if report.already_done else 'Trained'}: {report.folder}",
        ("", "value"),
        (
            ("size", f"{result['preset']}, {report.parameters:,} parameters"),
            ("training windows", f"{report.train_windows:,}"),
            ("best step", f"{result['best_step']:,} of {result['steps']:,}"),
            ("measured on", result["validation"]),
            ("cross-entropy, nats a code", f"{figures['ce']:.3f}"),
            ("cross-entropy, seen codes", f"{figures['ce_seen']:.3f}"),
            ("L_u, seen codes", f"{figures['l_u_seen']:+.3f}  (below 0 beats the unigram)"),
            ("L_u, all codes", overall),
            ("held-out codes never seen", f"{figures['unseen_share']:.1%}"),
            ("softmax over", "seen codes only" if result["restricted"] else "all codes"),
        ),
        note="\n".join((*report.advice, 'Next: scamo eval humanml3d, or scamo generate "a person walks forward"')),
    )


def generate(
    prompts: Annotated[
        list[str], typer.Argument(help="What the person does, one sentence for each motion.", metavar="TEXT...")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for the files.")] = Path("generated"),
    model: Annotated[
        Path | None,
        typer.Option("--model", help="Folder of a trained model; the newest one if not given.", show_default=False),
    ] = None,
    temperature: Annotated[
        float, typer.Option("--temperature", help="Above 1 bolder, below 1 safer, 0 always the likeliest.")
    ] = 1.0,
    top_p: Annotated[
        float, typer.Option("--top-p", help="Choose among the likeliest codes that together have this probability.")
    ] = 0.9,
    top_k: Annotated[
        int | None,
        typer.Option("--top-k", min=1, help="Choose among so many of the likeliest codes.", show_default=False),
    ] = None,
    min_tokens: Annotated[
        int, typer.Option("--min-tokens", min=1, help="Shortest motion, in codes (a fifth of a second each).")
    ] = 4,
    max_tokens: Annotated[int, typer.Option("--max-tokens", min=1, help="Longest motion, in codes.")] = 49,
    device: DeviceOption = None,
    seed: SeedOption = 0,
    runs: RunsOption = DEFAULT_RUNS,
    as_json: JsonOption = False,
) -> None:
    """Make a motion from a sentence: joints (T, 22, 3), 263 features and a GIF.

    The same sentence, seed and model always give the same motion. Another --seed gives another one.
    """
    from scamo.generation import generate as make  # torch loads here, not for --help
    from scamo.generation import write_generated
    from scamo.sampling import SamplingOptions

    options = SamplingOptions(
        temperature=temperature, top_p=top_p, top_k=top_k, min_tokens=min_tokens, max_tokens=max_tokens
    )
    with TerminalProgress() as progress:
        results = make(prompts, runs=runs, model=model, seed=seed, options=options, device=device, progress=progress)
    written = write_generated(results, out)
    if as_json:
        show_json({"motions": written})
        return
    show_table(
        "Generated",
        ("prompt", "codes", "seconds", "GIF"),
        [(row["prompt"], len(row["codes"]), row["seconds"], row["gif"]) for row in written],
        note="Beside each GIF: .joints.npy (T, 22, 3), metres, +Y up, 20 fps; .features.npy (T, 263).",
    )
    say("Another --seed gives another motion of the same sentence.")
