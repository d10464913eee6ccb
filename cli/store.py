"""`motionunion stats`, `check`, `query`, `show`: what is in a store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import DEFAULT_STORE, AtOption, JsonOption, StoreOption, naming
from cli.show import say, show_json, show_table

if TYPE_CHECKING:
    from motionunion.store.check import CheckReport
    from motionunion.store.repair import RepairReport


def stats(store: StoreOption = DEFAULT_STORE, at: AtOption = None, as_json: JsonOption = False) -> None:
    """Count clips, hours, captions, frame rates, splits and rejects, per source and in all."""
    from motionunion.store.store import open_store

    with open_store(store, at=at) as opened:
        found = opened.stats()
    if as_json:
        show_json(found)
        return
    columns = ("source", "clips", "frames", "hours", "share", "fps", "captions", "train / val / test", "rejects")
    rows = [_stats_row(one["source"], one) for one in found["sources"]]
    if len(rows) > 1:
        rows.append(_stats_row("in all", {**found, "share": 1.0 if found["hours"] else 0.0}))
    show_table(f"{store}, commit {found['commit']}", columns, rows, note=_stats_note(found, naming(store)))


def _stats_row(name: str, one: dict[str, Any]) -> tuple[object, ...]:
    splits = " / ".join(f"{count:,}" for count in one["splits"].values())
    rates = ", ".join(f"{rate:g}" for rate in one["fps"])
    rejects = f"{one['rejects']:,} ({one['rejects_share']:.1%})" if one["rejects"] else "0"
    return (name, one["clips"], one["frames"], f"{one['hours']:.2f}", f"{one['share']:.1%}", rates, one["captions"], splits,
            rejects)  # fmt: skip


def _stats_note(found: dict[str, Any], which: str) -> str:
    notes = []
    if found["template_body"]:
        notes.append(
            f"{found['template_body']:,} clips move the template body: nothing computed from them is comparable with "
            "published numbers (motionunion ingest --body-models DIR)."
        )
    if found["synthetic"]:
        notes.append(f"{found['synthetic']:,} clips are synthetic.")
    if found["captions_waiting"] or found["segments_waiting"]:
        notes.append(
            f"{found['captions_waiting']:,} captions and {found['segments_waiting']:,} segments wait for clips that are not "
            "here."
        )
    if found["rejects"]:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in found["reject_reasons"].items())
        notes.append(f'Rejects: {reasons}. List: motionunion query "select * from rejects"{which}')
    if not found["clips"]:
        notes.append("No clips yet: motionunion ingest PATH brings some.")
    return "\n".join((*notes, f"Fingerprint {found['fingerprint'][:16]}"))


def check(
    store: StoreOption = DEFAULT_STORE,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Set aside what is damaged, and build again what can be. Destroys nothing."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Verify everything in a store: every commit, shard, clip, index and feature. Exits 4 where something is damaged.

    Writes nothing, unless --repair is given. A repair moves damaged files to quarantine/ and takes them out of the store, which
    then opens and gives only what is as it was written; it says which command brings the rest back.
    """
    from cli.progress import TerminalProgress
    from motionunion.store.check import check_store
    from motionunion.store.repair import repair_store

    if repair:
        with TerminalProgress() as progress:
            repaired = repair_store(store, progress)
        _show_repair(store, repaired, as_json)
        return
    with TerminalProgress() as progress:
        report = check_store(store, progress)
    if as_json:
        show_json(report.to_json())
    else:
        _show_check(store, report)
    if not report.sound:
        raise typer.Exit(4)


def _show_check(store: str, report: CheckReport) -> None:
    if not report.sound:
        rows = [(one["kind"], one["file"], one["problem"]) for one in report.damage]
        show_table(f"{store} is damaged", ("kind", "file", "problem"), rows)
    show_table(
        f"{store} is sound" if report.sound else "As it was written",
        ("kind", "files", "MB", "rows"),
        [(kind, one.files, f"{one.bytes / 1e6:.1f}", one.rows or None) for kind, one in report.verified.items()],
        note="\n".join(_check_notes(report)),
    )
    if not report.sound:
        say(f"Restore these files from a backup; or: motionunion check --repair{naming(store)}")


def _check_notes(report: CheckReport) -> list[str]:
    notes = [
        f"Files of {one['source']} whose rows are not here: {one['files']:,}. {one['how']}." for one in report.awaited
    ]
    for found, what in (
        (report.history, "Files of older states that a repair gave up"),
        (report.quarantined, "In quarantine/, to be deleted when of no more use"),
        (report.dangling, "Needed by no kept state; `motionunion gc` removes them"),
        (report.strays, "Not files of a store"),
    ):
        if found:
            some = ", ".join(found[:3]) + (", ..." if len(found) > 3 else "")
            notes.append(f"{what} ({len(found):,}): {some}")
    return notes


def _show_repair(store: str, report: RepairReport, as_json: bool) -> None:
    if as_json:
        show_json(
            {
                "store": report.before.store,
                "damage": report.before.damage,
                "commit": report.commit,
                "done": report.done,
                "lost": report.lost,
                "next": report.next,
            }
        )
        return
    if report.before.sound:
        say(f"{store} is sound; nothing was changed.")
        return
    show_table(
        f"{store}: repaired" + (f" in commit {report.commit}" if report.commit else ""),
        ("", "what"),
        [
            *(("done", words) for words in report.done),
            *(("lost", words) for words in report.lost),
            *(("next", words) for words in report.next),
        ],
        note=f"motionunion check{naming(store)} looks at it again.",
    )


def query(
    sql: Annotated[
        str, typer.Argument(metavar="SQL", help='e.g. "select source, count(*) from clips group by source"')
    ],
    store: StoreOption = DEFAULT_STORE,
    at: AtOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask a store in SQL (DuckDB, read-only). Tables: clips, captions, segments, rejects, receipts.

    `motionunion query "describe clips"` names the columns of one.
    """
    from motionunion.store.store import open_store

    with open_store(store, at=at) as opened:
        columns, rows = opened.table(sql)
    if as_json:
        show_json({"columns": columns, "rows": [list(row) for row in rows]})
    else:
        count = f"{len(rows):,} row{'' if len(rows) == 1 else 's'}"
        show_table("", columns, rows, note=count, any_width=True)


def show(
    clip: Annotated[str, typer.Argument(metavar="CLIP", help="Id or its beginning, key, uid, or name of a segment.")],
    store: StoreOption = DEFAULT_STORE,
    at: AtOption = None,
    gif: Annotated[
        Path | None, typer.Option("--gif", help="Also draw the motion into this GIF.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show one clip: what it is, where it comes from, what is said about it, and if wanted a picture."""
    from motionunion.store.describe import describe, find_clip
    from motionunion.store.store import open_store

    with open_store(store, at=at) as opened:
        clip_id = find_clip(opened, clip)
        found = describe(opened, clip_id)
        if gif is not None:
            _draw(opened.clip(clip_id), gif)
            found["gif"] = str(gif)
    if as_json:
        show_json(found)
        return
    rows = [(name, value) for name, value in found.items() if name not in ("captions", "segments")]
    show_table(f"{found['source']} {found['key']}", ("", "value"), [(name, _plain(value)) for name, value in rows])
    for table, columns in (("segments", ("name", "layer", "start_s", "end_s", "split")),
                           ("captions", ("text", "layer", "segment", "start_s", "end_s", "generator"))):  # fmt: skip
        if found[table]:
            show_table(table, columns, [tuple(one[column] for column in columns) for one in found[table]])


def _draw(clip: Any, path: Path) -> None:
    from motionunion.render import write_gif
    from motionunion.resample import joints_at

    say(f"drawing {clip.seconds:.0f} s of motion into {path}")
    write_gif(joints_at(clip, clip.fps, frames=(0, clip.frames)), float(clip.fps), path, title=clip.key)


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return ", ".join(f"{name} {one}" for name, one in value.items()) or None
    if isinstance(value, list):
        return ", ".join(str(one) for one in value) or None
    return value
