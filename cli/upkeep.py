"""`motionunion compact`, `merge`, `drop`: change a store without reading a source."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import DEFAULT_STORE, JsonOption, StoreOption
from cli.show import say, show_json, show_table

if TYPE_CHECKING:
    from motionunion.store.drop import DropCount, DropResult


def compact(
    store: StoreOption = DEFAULT_STORE,
    target: Annotated[str, typer.Option("--target", metavar="SIZE", help="Size of a full shard.")] = "128MiB",
    as_json: JsonOption = False,
) -> None:
    """Bring small shards, and shards of which little is live, together. The fingerprint stays.

    Every clip is verified while it is copied. Old shards stay on disk, for readers and for `--at`, until `motionunion gc`.
    Other processes may read and ingest meanwhile. Killed at any point: run it again.
    """
    from cli.progress import TerminalProgress
    from motionunion.engines.memory import parse_size
    from motionunion.store.compact import compact as compact_store

    with TerminalProgress() as progress:
        result = compact_store(store, target=parse_size(target), progress=progress)
    if as_json:
        show_json(asdict(result))
    else:
        rows: list[tuple[object, ...]] = [(kind, count, result.after[kind]) for kind, count in result.before.items()]
        rows.append(("MB in all", round(result.bytes_before / 1e6, 1), round(result.bytes_after / 1e6, 1)))
        note = (
            f"{result.commits} commits, {result.clips:,} clips copied. The old shards stay until `motionunion gc`."
            if result.commits
            else "There was nothing to do."
        )
        show_table(f"{result.store}, commit {result.commit}", ("shards", "before", "after"), rows, note=note)
    _tell_of_damage(result.damage)


def merge(
    stores: Annotated[list[str], typer.Argument(metavar="STORE...", help="Other stores: folders or URLs.")],
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Bring what is live in other stores into this one (made where there is none).

    Where two hold different things of the same file, the newer reader wins, then the newer normaliser, then the store
    named later. A reject never hides a clip, and what is dropped in one of them stays dropped. Killed at any point: run it
    again.
    """
    from cli.progress import TerminalProgress
    from motionunion.store.merge import merge as merge_stores

    with TerminalProgress() as progress:
        result = merge_stores(stores, store, progress=progress)
    if as_json:
        show_json(asdict(result))
    else:
        columns = ("clips", "annotations", "rejects", "dropped", "nothing new", "conflicts", "shards", "MB")
        row = (result.clips, result.annotations, result.rejects, result.dropped, result.equal, result.conflicts,
               result.copied + result.rewritten, f"{result.bytes / 1e6:.1f}")  # fmt: skip
        notes = []
        if result.conflicts:
            notes.append(
                "Conflicts: the stores hold different things of a file; `motionunion merge --help` says who wins."
            )
        if result.awaited:
            notes.append(
                f"{result.awaited:,} files of the other stores were set aside there by `motionunion check --repair`, and come "
                "back when they are ingested again."
            )
        show_table(f"{result.store}, commit {result.commit}", columns, [row], note="\n".join(notes))
    _tell_of_damage(result.damage)


def drop(
    where: Annotated[
        str,
        typer.Option(
            "--where",
            metavar="SQL",
            help="Condition over the columns of the table clips; with --undo over source, key and clip_id.",
            show_default=False,
        ),
    ],
    store: StoreOption = DEFAULT_STORE,
    undo: Annotated[bool, typer.Option("--undo", help="Let the next ingest read dropped files again.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be dropped.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Drop even if it is more than half of the store.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Take clips out of a store, with what their files say of them. No shard is rewritten, and nothing is deleted.

    They stay out when the same files are read again; a file whose content has changed comes back in.
    """
    from motionunion.store.drop import drop as drop_clips
    from motionunion.store.drop import undrop

    if undo:
        result = undrop(store, where, dry_run=dry_run)
    else:
        result = drop_clips(store, where, dry_run=dry_run, more_than_half=yes)
    if as_json:
        show_json(asdict(result))
        return
    _show_drop(result)


def _show_drop(result: DropResult) -> None:
    done = ("would be " if result.dry_run else "") + ("wanted again" if result.undo else "dropped")
    columns: tuple[str, ...] = ("source", "clips", "frames", "hours")
    counts: list[tuple[str, DropCount | DropResult]] = [*sorted(result.sources.items()), ("in all", result)]
    rows: list[tuple[object, ...]] = [(name, one.clips, one.frames, f"{one.hours:.2f}") for name, one in counts]
    if result.undo:  # how long they are is in shards that may be gone
        columns, rows = columns[:2], [row[:2] for row in rows]
    notes = []
    if not result.clips:
        notes.append("Nothing here matches: no commit was made.")
    elif not result.undo and not result.dry_run:
        notes.append(
            "`motionunion drop --undo` with the same condition over source, key or clip_id lets ingest read them again."
        )
    if result.changed_meanwhile:
        notes.append(f"{result.changed_meanwhile:,} were changed by another process meanwhile, and were left alone.")
    if result.undo and result.clips and not result.dry_run:
        notes.append("`motionunion ingest PATH...` reads them again.")
    show_table(f"{result.store}, commit {result.commit}: {done}", columns, rows, note="\n".join(notes))


def _tell_of_damage(damage: list[dict[str, str]]) -> None:
    for one in damage:
        say(f"damaged, left as it is: {one['problem']}")
    if damage:
        raise typer.Exit(4)
