"""`motionunion skeleton`: what an unknown BVH file is, and a map to read it by."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import JsonOption
from cli.show import say, show_json, show_table

if TYPE_CHECKING:
    from motionunion.joint_map import Place
    from motionunion.skeleton_inspection import Inspection, Proposal


def inspect(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A BVH file; better one in which somebody walks than a short one.")
    ],
    save: Annotated[
        Path | None,
        typer.Option(
            "--save",
            metavar="MAP.toml",
            help="Write the proposed joint map to this file, for `motionunion ingest --skeleton MAP.toml`. Clips read by it bear "
            "its name, so call it after the data set.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Save a map that is not sure, or replace a file: to look at it and correct it."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what a BVH file is: hierarchy, frame rate, unit, up axis, rest pose, height, and a proposed joint map.

    Names of joints decide nothing: the body is found by the shape of the tree and by the motion, and the map is tried on the
    file itself. What speaks for it and against it is said. Below a confidence of 0.5 it is not saved without --force.
    """
    from motionunion.skeleton_inspection import SURE_ENOUGH, save_map
    from motionunion.skeleton_inspection import inspect as look

    found = look(file)
    show_json(_for_json(found)) if as_json else _show(found)
    if save is not None:
        save_map(found, save, force=force)
        where, which = shlex.quote(str(file.parent)), shlex.quote(str(save))
        say(f"Saved. Read files of this skeleton with: motionunion ingest {where} --skeleton {which}")
    elif found.known is not None and not as_json:
        say(f"This skeleton is known. Next: motionunion ingest {shlex.quote(str(file.parent))}")
    elif found.proposal is not None and found.proposal.confidence < SURE_ENOUGH and not as_json:
        say(
            "Not sure enough to be saved: inspect another file of this skeleton; or, if it is a person's, save the map with "
            "--save MAP.toml --force and correct it by hand (docs/skeletons.md)."
        )
    elif found.proposal is not None and not as_json:
        say(f"Next: motionunion skeleton inspect {shlex.quote(str(file))} --save my_data.toml")


def _show(found: Inspection) -> None:
    show_table(f"{found.path}: {len(found.skeleton.names)} joints", ("joint", "offset", "channels"), _hierarchy(found))
    seconds = float(found.frames / found.fps)
    facts: list[tuple[str, object]] = [
        ("frames", f"{found.frames:,}, {seconds:.1f} s"),
        ("frame rate", f"{float(found.fps):g} Hz ({found.fps})"),
        ("skeleton", f"known as {found.known}" if found.known else "not known"),
    ]
    proposal = found.proposal
    if proposal is None:
        show_table("Measured", ("what", "value"), [*facts, ("joint map", f"none: {found.refusal}")])
        return
    unit_m = proposal.unit_m
    facts += [
        ("up axis", f"{proposal.up.value} ({proposal.up.confidence:.0%} sure)"),
        ("unit", f"{unit_m.value:.4g} m ({unit_m.confidence:.0%} sure)"),
        ("height", f"{proposal.height_m:.2f} m from the head joint to the feet"),
        ("faces", f"{proposal.faces} in the first frame, once +Y is up"),
        ("zero rotation", proposal.rest.kind),
        ("error of the map", f"{proposal.fk_error_m * 1000:.2f} mm at most, posed again"),
        ("confidence", f"{proposal.confidence:.2f}"),
    ]
    show_table("Measured", ("what", "value"), facts)
    show_table(
        "Proposed joint map", ("SMPL joint", "joint of the file", "", "local X and Y in a T-pose"), _map(proposal)
    )
    for reason in proposal.reasons:
        say(f"  + {reason}")
    for doubt in proposal.doubts:
        say(f"  - {doubt.reason}")


def _hierarchy(found: Inspection) -> list[tuple[str, str, str]]:
    skeleton = found.skeleton
    import numpy as np

    depth: list[int] = []
    rows = []
    for name, parent, offset, channels in zip(
        skeleton.names, skeleton.parents, skeleton.offsets_J3, found.channels, strict=True
    ):
        depth.append(depth[parent] + 1 if parent >= 0 else 0)
        short = " ".join(channel[0] + channel[1] for channel in channels)
        rows.append(
            ("  " * depth[-1] + name, " ".join(f"{value + 0.0:.4g}" for value in np.round(offset, 4).tolist()), short)
        )
    return rows


def _map(proposal: Proposal) -> list[tuple[str, str, str, str]]:
    from motionunion.skeleton import SMPL22_NAMES

    axes = proposal.joint_map.axes or {}
    return [
        (name, place.rotation if not place.beyond else "-", _note(place), axes.get(place.rotation, "left up"))
        for name, place in zip(SMPL22_NAMES, proposal.joint_map.places, strict=True)
    ]


def _note(place: Place) -> str:
    notes = []
    if place.beyond:
        notes.append("missing: beyond the last joint, as on the template body")
    elif place.start != place.rotation or place.fraction:
        where = (
            f"{place.fraction:.0%} of the way from {place.start} to {place.end}"
            if place.fraction
            else f"at {place.start}"
        )
        notes.append(where)
    if place.masked and not place.beyond:
        notes.append("a stand-in")
    if place.aimed:
        notes.append("its bone is aimed at the next joint")
    return ", ".join(notes)


def _for_json(found: Inspection) -> dict[str, Any]:
    proposal = found.proposal
    return {
        "file": str(found.path),
        "joints": [
            {"name": name, "parent": parent, "offset": offset.tolist(), "channels": list(channels)}
            for name, parent, offset, channels in zip(
                found.skeleton.names, found.skeleton.parents, found.skeleton.offsets_J3, found.channels, strict=True
            )
        ],
        "frames": found.frames,
        "fps": str(found.fps),
        "known": found.known,
        "refusal": found.refusal,
        "proposal": None if proposal is None else _proposal_json(proposal),
    }


def _proposal_json(proposal: Proposal) -> dict[str, Any]:
    from dataclasses import asdict

    from motionunion.skeleton import SMPL22_NAMES

    joint_map = proposal.joint_map
    return {
        "confidence": proposal.confidence,
        "reasons": list(proposal.reasons),
        "doubts": [asdict(doubt) for doubt in proposal.doubts],
        "up": {"value": proposal.up.value, "confidence": proposal.up.confidence},
        "unit_m": {"value": proposal.unit_m.value, "confidence": proposal.unit_m.confidence},
        "rest": proposal.rest.kind,
        "height_m": proposal.height_m,
        "faces": proposal.faces,
        "suspect_rate": None if proposal.suspect_rate is None else asdict(proposal.suspect_rate),
        "fk_error_m": proposal.fk_error_m,
        "map": {name: asdict(place) for name, place in zip(SMPL22_NAMES, joint_map.places, strict=True)},
        "axes": dict(joint_map.axes or {}),
        "dip_deg": dict(joint_map.dips),
        "turn_deg": dict(joint_map.turns),
    }
