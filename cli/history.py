"""`motionunion log`, `diff`, `gc`: what became of a store, and what it can do without."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.options import DEFAULT_STORE, JsonOption, StoreOption
from cli.show import show_json, show_table


def log(
    store: StoreOption = DEFAULT_STORE,
    limit: Annotated[int, typer.Option("--limit", min=0, help="Show so many commits; 0 shows all.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """List the commits of a store, newest first: when, why, and what each added.

    `motionunion stats --at COMMIT` (also query, show) looks at the store as it was then, unless gc gave that state up.
    """
    from dataclasses import asdict

    from motionunion.store.history import read_log
    from motionunion.store.store import open_store

    with open_store(store) as opened:
        head = opened.head
        entries = list(read_log(opened.storage, head, limit or None))
    if as_json:
        commits = [asdict(entry) for entry in entries]
        show_json({"store": store, "commit": head.number, "horizon": head.horizon, "commits": commits})
        return
    rows = [
        (str(entry.number), entry.time, entry.damage or entry.note, entry.clips, entry.shards_added, entry.shards_removed,
         f"{entry.bytes / 1e6:.1f}", "yes" if entry.can_be_opened else "no")
        for entry in entries
    ]  # fmt: skip
    notes = [f"{head.number - len(entries):,} older commits: --limit 0 shows all"] if len(entries) < head.number else []
    if head.horizon > 1:
        notes.append(f"States before commit {head.horizon} were given up by gc")
    if any(entry.repaired for entry in entries):
        notes.append(f"Repaired in commit {next(entry.number for entry in entries if entry.repaired)}")
    columns = ("commit", "time", "note", "clips", "shards +", "shards -", "MB +", "opens")
    show_table(f"{store}, commit {head.number}", columns, rows, note="\n".join(notes))


def diff(
    older: Annotated[int, typer.Argument(metavar="A", help="Number of a commit; `motionunion log` lists them.")],
    newer: Annotated[
        int | None, typer.Argument(metavar="B", help="Number of another; the newest if not given.", show_default=False)
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    limit: Annotated[
        int, typer.Option("--limit", min=0, help="List so many keys of each kind of change; 0 lists all.")
    ] = 20,
    as_json: JsonOption = False,
) -> None:
    """Tell what commit B says that commit A does not: clips, captions, segments, rejects, in all and by key."""
    from dataclasses import asdict

    from motionunion.store.difference import CHANGES, compare
    from motionunion.store.store import open_store

    with open_store(store, at=older) as before, open_store(store, at=newer) as after:
        found = compare(before, after, limit or None)
    if as_json:
        show_json({**asdict(found), "same": found.same})
        return
    kinds = [change for change in CHANGES if found.keys_in_all[change]]
    rows = [(one["source"], *(one[change] for change in kinds)) for one in found.sources]
    notes = [
        f"Fingerprints {found.fingerprints[0][:16]} and {found.fingerprints[1][:16]}: the commits say "
        f"{'the same' if found.same else 'different things'}"
    ]
    for change in kinds:
        listed, count = found.keys[change], found.keys_in_all[change]
        notes.append(f"\n{change.replace('_', ' ')} ({count:,} {'file' if count == 1 else 'files'})")
        notes += [f"  {source} {key}" for source, key in listed]
        if len(listed) < count:
            notes.append(f"  ... and {count - len(listed):,} more: --limit 0 lists all")
    columns = ("source", *(change.replace("_", " ") for change in kinds))
    show_table(f"{store}, commit {found.commits[0]} to {found.commits[1]}", columns, rows, note="\n".join(notes))


def gc(
    store: StoreOption = DEFAULT_STORE,
    grace: Annotated[
        float,
        typer.Option(
            "--grace", metavar="DAYS", min=0, help="Keep states that were the newest at some time in the last DAYS days, and "
            "files as young. 0 only where nobody else uses the store."
        ),
    ] = 14.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go; write nothing.")] = False,
    as_json: JsonOption = False,
) -> None:  # fmt: skip
    """Give up old states of a store, and delete the files that no other state needs.

    The newest state stays, and so does everything that commits within the grace name. Others may write and read meanwhile.
    """
    from dataclasses import asdict

    from cli.progress import TerminalProgress
    from motionunion.store.gc import collect_garbage
    from motionunion.store.store import open_store

    with TerminalProgress() as progress, open_store(store) as opened:
        report = collect_garbage(opened, grace_days=grace, dry_run=dry_run, progress=progress)
    if as_json:
        show_json({**asdict(report), "files": report.files, "bytes": report.bytes})
        return
    rows = [(kind, one["files"], f"{one['bytes'] / 1e6:.1f}") for kind, one in report.removed.items()]
    if len(rows) != 1:
        rows.append(("in all", report.files, f"{report.bytes / 1e6:.1f}"))
    would = "would be " if dry_run else ""
    notes = [f"The oldest state that can be opened {'would be' if dry_run else 'is'} that of commit {report.horizon}"]
    if report.given_up is not None:
        first, last = report.given_up
        states = f"state of commit {first}" if first == last else f"states of commits {first} to {last}"
        notes.insert(0, f"The {states} {would or ('was ' if first == last else 'were ')}given up")
    if report.spared:
        notes.append(f"{report.spared:,} files that no state needs are younger than {grace:g} days, and stay")
    show_table(f"{store}: {would}removed", ("kind", "files", "MB"), rows, note="\n".join(notes))
