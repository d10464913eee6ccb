"""`motionunion ingest`: from files to a store."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import DEFAULT_STORE, Engine, JobsOption, JsonOption, StoreOption, naming
from cli.show import say, show_json, show_table

if TYPE_CHECKING:
    from motionunion.ingest.preflight import Plan
    from motionunion.ingest.result import IngestResult

_LISTED = 20


class OnError(StrEnum):
    go_on = "continue"
    fail = "fail"


def ingest(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...",
            help="Folders, files, or archives (.tar, .tar.gz, .tar.bz2, .tar.xz, .zip) as they were downloaded. What lies there is "
            "recognised by content and layout; captions and annotation folders (.txt beside a motion, a HumanML3D folder) are "
            "part of it.",
        ),
    ],
    source: Annotated[
        str | None,
        typer.Option("--source", help="Read everything as this source, instead of recognising it.", show_default=False),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    jobs: JobsOption = None,
    body_models: Annotated[
        Path | None,
        typer.Option(
            "--body-models",
            help="Folder of licensed SMPL-H / SMPL-X models for AMASS; the template body if not given.",
            show_default=False,
        ),
    ] = None,
    skeleton: Annotated[
        list[Path] | None,
        typer.Option(
            "--skeleton",
            metavar="MAP.toml",
            help="Joint map of a BVH skeleton that is not known; may be given several times. `motionunion skeleton inspect FILE "
            "--save MAP.toml` makes one.",
            show_default=False,
        ),
    ] = None,
    engine: Annotated[
        Engine | None,
        typer.Option(
            "--engine",
            help="Who reads: processes of this machine (pool), or a Ray cluster (ray: the one of RAY_ADDRESS or `ray start`, "
            "else one of its own on this machine). Files and store must lie where all its nodes see them.",
            show_default="pool",
        ),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            "--shard",
            metavar="I/N",
            help="Do one share of N, I from 0 to N-1: for job arrays. Shares run in any order, at once or one by one, into one "
            "store or into several that are merged.",
            show_default=False,
        ),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            "--memory",
            metavar="SIZE",
            help="What this run may take on this machine, e.g. 8GB: large files then wait for one another, and one that needs "
            "more is refused. Half of the memory if not given.",
            show_default=False,
        ),
    ] = None,
    on_error: Annotated[
        OnError, typer.Option("--on-error", help="When a file is refused: go on with the others, or stop there.")
    ] = OnError.go_on,
    scratch: Annotated[
        Path | None,
        typer.Option(
            "--scratch",
            help="Folder to unpack archives into, one at a time; removed again. In the store's cache if not given.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be read, what is missing and what it would take.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Read motion files into the store: recognise, read, normalise, check, commit.

    Can be stopped at any moment and run again: it goes on where it was, and tasks whose files are known and unchanged are
    not done again. Refused files are listed with their reason (exit code 3) and cost nothing else.
    """
    from cli.progress import TerminalProgress
    from motionunion.engines.memory import parse_size
    from motionunion.ingest import run

    # Ray's own words about its workers go to stdout, and that is the result's.
    with TerminalProgress() as progress, contextlib.redirect_stdout(sys.stderr):
        plan = result = None
        if dry_run:
            plan = run.dry_run(
                paths, store, source=source, jobs=jobs, body_models=body_models, skeletons=skeleton or (), shard=shard
            )
        else:
            result = run.ingest(
                paths,
                store,
                source=source,
                jobs=jobs,
                body_models=body_models,
                skeletons=skeleton or (),
                progress=progress,
                engine=engine,
                shard=shard,
                memory=None if memory is None else parse_size(memory),
                on_error=on_error.value,
                scratch=scratch,
            )
    if plan is not None:
        show_json({**asdict(plan), "seconds": plan.seconds}) if as_json else _show_plan(plan)
        return
    assert result is not None
    if as_json:
        show_json({**asdict(result), "clips": result.clips, "read": result.read, "refused": result.refused})
    else:
        _show_result(result, naming(store))
    if result.refused + result.standing_rejects:
        raise typer.Exit(3 if result.read else 4)


def _show_result(result: IngestResult, which: str) -> None:
    _show_skipped(result.skipped, result.skipped_files)
    columns = ("source", "files", "clips", "annotations", "known already", "frames", "hours", "refused")
    rows = [
        (name, one.files, one.clips, one.annotations, one.up_to_date, one.frames, f"{one.hours:.2f}", one.rejects)
        for name, one in result.sources.items()
    ]
    share = f"Share {result.shard} of the work: " if result.shard else ""
    show_table(f"{share}{'read' if share else 'Read'} into {result.store}, commit {result.commit}", columns, rows)
    if result.refused:
        reasons = ", ".join(f"{count} {reason}" for reason, count in result.reasons.items())
        say(f"{result.refused:,} refused ({reasons}), kept in the store's rejects table:")
        for row in result.rejects[:_LISTED]:
            line = f":{row['line']}" if row["line"] else ""
            say(f"  {row['file']}{line}   {row['reason']}: {row['message']}")
        if result.refused > _LISTED:
            say(f'  ... {result.refused - _LISTED:,} more: motionunion query "select * from rejects"{which}')
    if result.standing_rejects:
        say(f"{result.standing_rejects} refused by an earlier run and unchanged since, not tried again "
            f'(motionunion query "select * from rejects"{which}).')  # fmt: skip
    say(f"Next: motionunion stats{which}" if result.read or result.shard else "Nothing could be read.")


def _show_plan(plan: Plan) -> None:
    _show_skipped(plan.skipped, sum(one["count"] for one in plan.skipped))
    rows = [
        (one.source, ", ".join(one.roots), one.files, one.up_to_date, f"{one.bytes / 1e6:.1f}", f"{one.seconds:.0f} s",
         f"{one.disk_bytes / 1e6:.1f}") for one in plan.sources
    ]  # fmt: skip
    columns = ("source", "found in", "files", "known already", "MB to read", "one core", "MB on disk")
    where = plan.store if plan.exists else f"{plan.store} (to be made)"
    note = f"About {plan.seconds:.0f} s with {plan.jobs} processes ({plan.tasks} tasks). Nothing was written."
    show_table(f"Would read into {where}", columns, rows, note=note)
    for what in plan.missing:
        say(f"missing: {what}")


def _show_skipped(skipped: list[dict[str, Any]], files: int) -> None:
    advised = set()
    for one in skipped[:_LISTED]:
        count = f" ({one['count']} files)" if one["count"] > 1 else ""
        reason, _, advice = one["reason"].partition("; ")
        say(f"skipped: {one['path']}{count}: {reason if advice in advised else one['reason']}")
        advised.add(advice)
    if len(skipped) > _LISTED:
        say(f"skipped: {files - sum(one['count'] for one in skipped[:_LISTED]):,} more files (--json lists them)")
