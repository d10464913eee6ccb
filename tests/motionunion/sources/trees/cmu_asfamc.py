"""CMU's own files: a skeleton of bones per subject, and motions of it in degrees, without a frame rate."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

# Name, parent, direction and length of the bone (units of 1 / 0.45 inch), axes of its motion, what moves.
BONES = """
lhipjoint root 0.6 -0.7 0.387 2.4 0,0,0 -
lfemur lhipjoint 0.342 -0.94 0 7.2 0,0,20 rx,ry,rz
ltibia lfemur 0.342 -0.94 0 7.5 0,0,20 rx
lfoot ltibia 0.07 -0.18 0.981 2.4 -90,0,20 rx,rz
ltoes lfoot 0 0 1 1.2 -90,0,20 rx
rhipjoint root -0.6 -0.7 0.387 2.4 0,0,0 -
rfemur rhipjoint -0.342 -0.94 0 7.2 0,0,-20 rx,ry,rz
rtibia rfemur -0.342 -0.94 0 7.5 0,0,-20 rx
rfoot rtibia -0.07 -0.18 0.981 2.4 -90,0,-20 rx,rz
rtoes rfoot 0 0 1 1.2 -90,0,-20 rx
lowerback root 0 0.995 -0.1 2.05 0,0,0 rx,ry,rz
upperback lowerback 0 1 0 2.05 0,0,0 rx,ry,rz
thorax upperback 0 1 0 2.05 0,0,0 rx,ry,rz
lowerneck thorax 0 0.995 0.1 1.75 0,0,0 rx,ry,rz
upperneck lowerneck 0 0.995 -0.1 1.75 0,0,0 rx,ry,rz
head upperneck 0 1 0 1.75 0,0,0 rx,ry,rz
lclavicle thorax 0.94 0.33 -0.087 3.5 0,0,0 ry,rz
lhumerus lclavicle 1 0 0 5 180,-30,-90 rx,ry,rz
lradius lhumerus 1 0 0 3.5 180,-30,-90 rx
lwrist lradius 1 0 0 1.75 0,90,90 ry
lhand lwrist 1 0 0 0.7 0,90,90 rx,rz
lfingers lhand 1 0 0 0.6 0,90,90 rx
lthumb lwrist 0.707 0 0.707 0.8 -90,45,0 rx,rz
rclavicle thorax -0.94 0.33 -0.087 3.5 0,0,0 ry,rz
rhumerus rclavicle -1 0 0 5 180,30,90 rx,ry,rz
rradius rhumerus -1 0 0 3.5 180,30,90 rx
rwrist rradius -1 0 0 1.75 0,-90,-90 ry
rhand rwrist -1 0 0 0.7 0,-90,-90 rx,rz
rfingers rhand -1 0 0 0.6 0,-90,-90 rx
rthumb rwrist -0.707 0 0.707 0.8 -90,-45,0 rx,rz
"""


def rows() -> list[list[str]]:
    return [line.split() for line in BONES.strip().splitlines()]


def skeleton() -> str:
    lines = [
        "# made for a test",
        ":version 1.10",
        ":name VICON",
        ":units",
        "  mass 1.0",
        "  length 0.45",
        "  angle deg",
    ]
    lines += [":documentation", "  none", ":root", "  order TX TY TZ RX RY RZ", "  axis XYZ", "  position 0 0 0"]
    lines += ["  orientation 0 0 0", ":bonedata"]
    children: dict[str, list[str]] = {}
    for number, (name, parent, x, y, z, length, axis, dofs) in enumerate(rows(), start=1):
        children.setdefault(parent, []).append(name)
        lines += [
            "  begin",
            f"    id {number}",
            f"    name {name}",
            f"    direction {x} {y} {z}",
            f"    length {length}",
        ]
        lines.append(f"    axis {axis.replace(',', ' ')}   XYZ")
        if dofs != "-":
            lines += [f"    dof {dofs.replace(',', ' ')}", "    limits (-90.0 90.0)"]
            lines += ["           (-90.0 90.0)"] * (dofs.count(","))
        lines.append("  end")
    lines += [":hierarchy", "  begin", *(f"    {parent} {' '.join(own)}" for parent, own in children.items()), "  end"]
    return "\r\n".join(lines) + "\r\n"


def motion(frames: int, seed: int) -> str:
    random = np.random.default_rng(seed)
    lines = ["#!OML:ASF made for a test", ":FULLY-SPECIFIED", ":DEGREES"]
    swing = {name: random.uniform(3, 12) * np.sin(np.arange(frames) / random.uniform(20, 40)) for name, *_ in rows()}
    for frame in range(frames):
        lines += [f"{frame + 1}", f"root {0.01 * frame:.4f} 17.6 {0.1 * frame:.6f} 0 {0.1 * frame:.4f} -4.5e-014"]
        for name, *_, dofs in rows():
            if dofs != "-":
                value = abs(swing[name][frame]) if name in ("ltibia", "rtibia") else swing[name][frame]
                lines.append(" ".join([name, *(f"{value / (k + 1):.6g}" for k in range(dofs.count(",") + 1))]))
    return "\n".join(lines) + "\n"


def write(root: Path, walk: Callable[..., Any]) -> None:
    for subject, take in (("01", 5), ("01", 7), ("60", 1)):
        folder = root / "subjects" / subject
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{subject}.asf").write_text(skeleton(), newline="")
        (folder / f"{subject}_{take:02d}.amc").write_text(motion(240, take), newline="")
