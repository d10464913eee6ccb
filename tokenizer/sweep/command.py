"""What `scamo sweep tokenizer` does: open the store, plan the grid, run it, and write its table and figure."""

from __future__ import annotations

from pathlib import Path

from motionunion.digest import write_atomic
from motionunion.features import build_features
from motionunion.progress import SILENT, Progress
from tokenizer.choice import choose_device
from tokenizer.evaluation.table import Table, markdown
from tokenizer.presets import Changes, choose_preset
from tokenizer.sweep.figure import draw_sweep
from tokenizer.sweep.grid import plan_cells, read_codebooks, read_quantizers
from tokenizer.sweep.report import measured_groups, sweep_table
from tokenizer.sweep.run import Sweep, run_sweep

TABLE = "table.md"


def sweep_tokenizers(
    store: str,
    runs: Path,
    *,
    codebooks: str = "256..65536",
    quantizers: str = "fsq,vq",
    preset: str | None = None,
    steps: int | None = None,
    changes: Changes | None = None,
    device: str | None = None,
    jobs: int | None = None,
    seed: int = 0,
    progress: Progress = SILENT,
) -> Sweep:
    """Train one tokenizer for each quantiser and codebook size, by one recipe, and measure them on val and test.

    Args:
        store: Folder or URL of the store.
        runs: Folder of runs; the sweep goes to `runs/sweeps/`.
        codebooks: `256..65536` (powers of two), or sizes with commas.
        quantizers: Names in `tokenizer.sweep.grid.VARIANTS`, with commas.
        preset: Recipe; chosen by the table of presets where None.
        steps: In place of the preset's.
        changes: Values in place of the preset's; see `tokenizer.presets.preset_named`.
        device: `cpu`, `cuda`, ...; a GPU where there is one if None.
        jobs: Worker processes for building features.
        seed: Of every random choice.
        progress: Told of every cell and of every step.

    Raises:
        UsageError: For sizes, quantisers or a device that cannot be.
        ConfigError: For a preset, or values of it, that cannot be.
        MissingInput: If the store has no training window, or none to measure on.
    """
    from motionunion import open_store  # the store reads its index with what a bare training machine lacks

    sizes, names = read_codebooks(codebooks), read_quantizers(quantizers)
    target = choose_device(device)
    name = preset or choose_preset(target, 0)[0]
    cells = plan_cells(sizes, names, preset=name, steps=steps, changes=changes)
    features = build_features(open_store(store), cells[0].preset.representation, jobs, progress, verify=True)
    sweep = run_sweep(features, Path(runs), cells, seed=seed, device=target, progress=progress)
    write_report(sweep, progress)
    return sweep


def sweep_tables(sweep: Sweep) -> list[Table]:
    """The tables of a sweep: everything that was measured, and HumanML3D by itself where the store has it."""
    return [
        sweep_table(f"{group}: {sweep.title}", sweep.cells, split, group)
        for split, group in measured_groups(sweep.cells)
    ]


def write_report(sweep: Sweep, progress: Progress = SILENT) -> None:
    """Write `table.md` and, where matplotlib is there and something was measured, the figure, into the sweep's folder."""
    write_atomic(sweep.folder / TABLE, markdown(sweep_tables(sweep)).encode())
    if not measured_groups(sweep.cells):
        progress.note("no tokenizer of the sweep could be trained: there is nothing to draw")
        return
    try:
        draw_sweep(sweep.cells, sweep.folder, sweep.title)
    except ImportError as error:
        progress.note(f"no figure is drawn ({error}); `pip install motionunion[plots]` brings what draws it")
