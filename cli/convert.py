"""`motionunion convert`: one motion to features, and what that loses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import JsonOption
from cli.show import show_json, show_table

if TYPE_CHECKING:
    from motionunion.convert import Conversion


def convert(
    file: Annotated[
        Path, typer.Argument(metavar="IN", help="A file that some source reads, or a .npy of features with --from.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The .npy of features to write.")],
    to: Annotated[str, typer.Option("--to", metavar="ID", help="The representation wanted, such as ms272@30.")],
    features_of: Annotated[
        str | None,
        typer.Option("--from", metavar="ID", help="IN holds features of this representation.", show_default=False),
    ] = None,
    fps: Annotated[
        str | None,
        typer.Option(
            help="Frames per second of the features in IN, where it is not what their id says: 60, or 60000/1001.",
            show_default=False,
        ),
    ] = None,
    key: Annotated[str | None, typer.Option(help="Which motion, where IN holds several.", show_default=False)] = None,
    source: Annotated[
        str | None, typer.Option(help="Read IN as this source; recognised if not given.", show_default=False)
    ] = None,
    skeleton: Annotated[
        list[Path] | None,
        typer.Option(help="Joint map of a skeleton that is not known (`motionunion skeleton inspect --save`)."),
    ] = None,
    body_models: Annotated[
        Path | None,
        typer.Option(
            help="Folder of licensed SMPL-H / SMPL-X models; the template body if not given.", show_default=False
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT where it exists.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Turn one motion into features of any representation, and say what a round trip through them loses.

    From any file that ingest reads, or from features of one representation to another. The features are decoded again and laid
    over the motion by one turn and one shift; what still differs is the error.
    """
    from motionunion.convert import convert as run
    from motionunion.convert import rate_of
    from motionunion.joint_maps import read_joint_map
    from motionunion.sources.base import ReadOptions

    options = ReadOptions(body_models=body_models, skeletons=tuple(read_joint_map(path) for path in skeleton or ()))
    done = run(
        file, out, to=to, features_of=features_of, fps=None if fps is None else rate_of(fps), key=key, source=source,
        options=options, overwrite=overwrite,
    )  # fmt: skip
    show_json(done.to_json()) if as_json else _show(done)


def _show(done: Conversion) -> None:
    trip = done.round_trip
    facts: list[tuple[str, object]] = [
        ("motion", done.motion),
        ("frames", f"{done.frames:,} at {float(done.fps):g} fps"),
        ("rate", f"{float(done.rate):g} fps: {done.resampled}"),
        ("features", f"{trip.rows:,} x {done.dims}" + (", as the source ships them" if done.shipped else "")),
        ("joints off", f"{_length(trip.joints_mean_m)} in the mean, {_length(trip.joints_max_m)} at most"),
        ("posture off", f"{_length(trip.posture_mean_m)} in the mean, pelvis on pelvis"),
        (
            "rotations off",
            "none to compare" if trip.rotations_max_deg is None else f"{_angle(trip.rotations_max_deg)} at most",
        ),
        ("bones changed", f"{_length(trip.bones_max_m)} at most"),
        ("start", f"turned by {_angle(trip.turned_deg)}, shifted by {_length(trip.shifted_m)}"),
    ]
    if done.flags:
        facts.insert(2, ("flags", ", ".join(done.flags)))
    facts += [(f"lost: {name}", what) for name, what in trip.lost.items()]
    show_table(f"{done.out}: {done.to}", ("what", "value"), facts)


def _length(metres: float) -> str:
    if metres < 1e-6:
        return "under 0.001 mm"
    return f"{1000 * metres:.3g} mm" if metres < 1 else f"{metres:.3g} m"


def _angle(degrees: float) -> str:
    return f"{degrees:.3g} degrees" if abs(degrees) >= 1e-3 else "under 0.001 degrees"
