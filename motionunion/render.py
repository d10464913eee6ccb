"""Stick figures: an animation of one motion, or a sheet of moments from several. Pillow only.

Shapes: T frames, 22 joints in SMPL-22 order, metres, +Y up. The camera looks slightly down, from ahead and to one side of
where the body faces in the first frame, and follows the body over a ground grid that stays where it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from motionunion.digest import write_atomic
from motionunion.errors import ClipError, MissingInput
from motionunion.skeleton import SMPL22_PARENTS, FloatArray

_PAPER, _GRID, _GRID_STRONG = (250, 250, 247), (228, 228, 222), (205, 205, 198)
_SHADOW, _PATH, _INK, _QUIET = (214, 213, 206), (120, 160, 130), (40, 42, 48), (110, 112, 118)
_LEFT, _RIGHT, _MIDDLE = (224, 110, 60), (55, 110, 190), (70, 74, 84)
_LEFT_JOINTS = frozenset((1, 4, 7, 10, 13, 16, 18, 20))
_RIGHT_JOINTS = frozenset((2, 5, 8, 11, 14, 17, 19, 21))

_SHARPNESS = 2  # drawn so many times larger, then averaged down: the only anti-aliasing Pillow has
_MAX_FPS = 25.0
_PITCH_RAD, _SIDE_RAD = 0.28, 0.62  # how far the camera looks down, and how far it stands to the side
_MOST_TEXT = 300  # characters of a caption: laying out a megabyte takes minutes, and would cover the figure
_BODY_M = 1.85  # height of the picture, in metres at the body


@dataclass(frozen=True, slots=True)
class _Camera:
    """An orthographic view: world metres to picture pixels."""

    yaw: float
    centre: npt.NDArray[np.float64]
    """World point that the picture is centred on."""
    scale: float
    """Pixels per metre."""
    width: int
    height: int

    def project(self, points: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Pixels (..., 2) and distance towards the camera (...), of world points (..., 3)."""
        moved = points - self.centre
        c, s = np.cos(self.yaw), np.sin(self.yaw)
        # The camera looks from direction (s, 0, c): what points there comes nearer.
        across = moved[..., 0] * c - moved[..., 2] * s
        nearer = moved[..., 0] * s + moved[..., 2] * c
        up = moved[..., 1] * np.cos(_PITCH_RAD) - nearer * np.sin(_PITCH_RAD)
        depth = nearer * np.cos(_PITCH_RAD) + moved[..., 1] * np.sin(_PITCH_RAD)
        pixels = np.stack([self.width / 2 + self.scale * across, self.height / 2 - self.scale * up], axis=-1)
        return pixels, depth


def write_gif(
    joints_T22x3: FloatArray,
    fps: float,
    path: Path | str,
    title: str | None = None,
    caption: str | None = None,
    *,
    size: int = 400,
) -> Path:
    """Write a motion as an endless GIF, at its own speed; above 25 frames per second frames are left out.

    Args:
        joints_T22x3: World positions in SMPL-22 order, metres, +Y up.
        fps: Frames per second of the joints.
        path: File to write; it appears whole or not at all.
        title: One line above the figure.
        caption: A sentence below it, wrapped; of a long text the beginning.
        size: Width and height in pixels.

    Raises:
        ClipError: If the array has another shape, no frame, or a position that is not finite, or fps is not positive.
        MissingInput: If the file cannot be written.
    """
    joints = _checked(joints_T22x3, fps)
    stride = max(1, int(np.ceil(fps / _MAX_FPS - 1e-6)))
    picked = list(range(0, len(joints), stride))
    # One palette for all frames: no flicker, and unchanged regions stay out of the file.
    middle = next(_frames(joints, [picked[len(picked) // 2]], size, title, caption))
    palette = middle.quantize(colors=128, method=Image.Quantize.MEDIANCUT)
    # Drawn while the file is made: a motion of minutes has gigabytes of pictures.
    indexed = (
        frame.quantize(palette=palette, dither=Image.Dither.NONE)
        for frame in _frames(joints, picked, size, title, caption)
    )
    # GIF times are hundredths of a second: spread the rounding, so that the whole lasts as long as the motion.
    ends = np.round(np.arange(1, len(picked) + 1) * stride / fps * 100).astype(int)
    durations = [int(v) * 10 for v in np.maximum(np.diff(ends, prepend=0), 2)]
    return _save(
        path, next(indexed), format="GIF", save_all=True, append_images=indexed, duration=durations, loop=0, disposal=1
    )


def contact_sheet(
    motions: Sequence[FloatArray],
    path: Path | str,
    labels: Sequence[str] | None = None,
    *,
    moments: int = 7,
    size: int = 170,
) -> Path:
    """Write a PNG with one row per motion and `moments` frames of it, evenly spread, left to right.

    Args:
        motions: Arrays (T, 22, 3), metres, +Y up.
        path: File to write; it appears whole or not at all.
        labels: One line above each row.
        moments: Frames per motion.
        size: Width of one frame in pixels.

    Raises:
        ClipError: As `write_gif`.
    """
    if labels is not None and len(labels) != len(motions):
        raise ClipError(f"contact sheet: {len(labels)} labels for {len(motions)} motions; give one each")
    strip = 20 if labels is not None else 0
    row = int(size * 1.12) + strip
    sheet = Image.new("RGB", (size * moments, max(1, row * len(motions))), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, motion in enumerate(motions):
        joints = _checked(motion, 1.0)
        picked = [int(v) for v in np.round(np.linspace(0, len(joints) - 1, moments))]
        for column, frame in enumerate(_frames(joints, picked, size, None, None, tall=1.12)):
            sheet.paste(frame, (column * size, number * row + strip))
        if labels is not None:
            draw.text((8, number * row + 3), labels[number], fill=_INK, font=_font(13))
    return _save(path, sheet, format="PNG", optimize=True)


def _checked(joints: FloatArray, fps: float) -> npt.NDArray[np.float64]:
    values = np.asarray(joints, dtype=np.float64)
    if values.ndim != 3 or values.shape[1:] != (22, 3) or not len(values):
        raise ClipError(f"render: joints have shape {values.shape}; (T, 22, 3) in SMPL-22 order is what can be drawn")
    if not np.isfinite(values).all():
        raise ClipError("render: a joint position is not finite; clean the motion first", reason="not_finite")
    if not fps > 0:
        raise ClipError(f"render: {fps} frames per second; it must be positive", reason="frame_rate")
    return values


def _frames(
    joints: npt.NDArray[np.float64], picked: Sequence[int], size: int, title: str | None, caption: str | None,
    tall: float = 1.0,
) -> Iterator[Image.Image]:  # fmt: skip
    floor = float(joints[..., 1].min())
    across = joints[0, 1] - joints[0, 2]  # from the right hip to the left: the body faces across x up
    facing = float(np.arctan2(-across[2], across[0]))
    follow = _smooth(joints[:, 0])
    width, height = size * _SHARPNESS, int(size * tall) * _SHARPNESS
    scale = size * _SHARPNESS / _BODY_M * (0.78 if caption else 0.86)
    text = _Text(title, caption, size)
    top = float(np.ptp(joints[..., 1]))
    for frame in picked:
        centre = follow[frame].copy()
        centre[1] = floor + max(0.82, 0.46 * top) - (0.15 if caption else 0.0)
        camera = _Camera(facing + _SIDE_RAD, centre, scale, width, height)
        picture = Image.new("RGB", (width, height), _PAPER)
        draw = ImageDraw.Draw(picture)
        _draw_ground(draw, camera, floor)
        _draw_path(draw, camera, joints[: frame + 1, 0], floor)
        _draw_body(draw, camera, joints[frame], floor)
        small = picture.resize((width // _SHARPNESS, height // _SHARPNESS), Image.Resampling.BOX)
        text.draw(small)
        yield small


def _smooth(root_T3: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """A calm version of the root's way for the camera: a moving average over about a third of the motion."""
    width = max(1, min(len(root_T3) // 3, 41)) | 1
    padded = np.pad(root_T3, ((width // 2, width // 2), (0, 0)), mode="edge")
    kernel = np.ones(width) / width
    return np.stack([np.convolve(padded[:, axis], kernel, mode="valid") for axis in range(3)], axis=-1)


def _draw_ground(draw: ImageDraw.ImageDraw, camera: _Camera, floor: float) -> None:
    reach, step = 7.0, 0.5
    x0, z0 = (np.round(camera.centre[axis] / step) * step for axis in (0, 2))
    for offset in np.arange(-reach, reach + step / 2, step):
        for line in (
            [[x0 + offset, floor, z0 - reach], [x0 + offset, floor, z0 + reach]],
            [[x0 - reach, floor, z0 + offset], [x0 + reach, floor, z0 + offset]],
        ):
            position = line[0][0] if line[0][0] == line[1][0] else line[0][2]
            strong = abs(position - round(position)) < 1e-6
            ends = camera.project(np.array(line))[0]
            draw.line([tuple(end) for end in ends], fill=_GRID_STRONG if strong else _GRID, width=_SHARPNESS)


def _draw_path(draw: ImageDraw.ImageDraw, camera: _Camera, root_T3: npt.NDArray[np.float64], floor: float) -> None:
    if len(root_T3) < 2:
        return
    ground = root_T3.copy()
    ground[:, 1] = floor
    points = camera.project(ground)[0]
    draw.line([tuple(point) for point in points], fill=_PATH, width=2 * _SHARPNESS, joint="curve")


def _draw_body(draw: ImageDraw.ImageDraw, camera: _Camera, joints: npt.NDArray[np.float64], floor: float) -> None:
    ground = joints.copy()
    ground[:, 1] = floor
    shade = camera.project(ground)[0]
    pixels, depth = camera.project(joints)
    bones = [(parent, joint) for joint, parent in enumerate(SMPL22_PARENTS) if parent >= 0]
    limb = max(2, int(camera.scale * 0.05))
    for parent, joint in bones:
        _limb(draw, shade[parent], shade[joint], _SHADOW, limb)
    for parent, joint in sorted(bones, key=lambda bone: float(depth[bone[0]] + depth[bone[1]])):
        _limb(draw, pixels[parent], pixels[joint], _colour(joint), limb if joint not in (10, 11) else int(limb * 0.8))
    crown = pixels[15] + 0.35 * (pixels[15] - pixels[12])
    radius = camera.scale * 0.105
    draw.ellipse([*(crown - radius), *(crown + radius)], fill=_MIDDLE)
    for wrist in (20, 21):
        hand = pixels[wrist]
        draw.ellipse([*(hand - 0.75 * limb), *(hand + 0.75 * limb)], fill=_colour(wrist))


def _limb(
    draw: ImageDraw.ImageDraw,
    start: npt.NDArray[np.float64],
    end: npt.NDArray[np.float64],
    colour: tuple[int, int, int],
    width: int,
) -> None:
    draw.line([tuple(start), tuple(end)], fill=colour, width=width)
    for point in (start, end):
        draw.ellipse([*(point - width / 2), *(point + width / 2)], fill=colour)


def _colour(joint: int) -> tuple[int, int, int]:
    return _LEFT if joint in _LEFT_JOINTS else _RIGHT if joint in _RIGHT_JOINTS else _MIDDLE


class _Text:
    """Title above and caption below, laid out once."""

    def __init__(self, title: str | None, caption: str | None, size: int) -> None:
        self._title, self._size = " ".join((title or "")[:_MOST_TEXT].split()), size
        self._head, self._body = _font(max(11, size // 24)), _font(max(11, size // 25))
        self._lines = _wrap(caption, self._body, size - 24) if caption else []

    def draw(self, picture: Image.Image) -> None:
        """Write onto a finished frame."""
        draw = ImageDraw.Draw(picture)
        if self._title:
            draw.text((12, 9), self._title, fill=_QUIET, font=self._head)
        high = int(self._size / 25 * 1.45)
        for number, line in enumerate(self._lines):
            y = picture.height - 10 - high * (len(self._lines) - number)
            draw.text((picture.width / 2, y), line, fill=_INK, font=self._body, anchor="ma")


def _wrap(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> list[str]:
    lines: list[str] = []
    shown = text if len(text) <= _MOST_TEXT else f"{text[:_MOST_TEXT]} ..."
    for word in shown.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size)


def _save(path: Path | str, image: Image.Image, **options: object) -> Path:
    from io import BytesIO

    target, buffer = Path(path), BytesIO()
    image.save(buffer, **options)  # type: ignore[arg-type]
    try:
        write_atomic(target, buffer.getvalue())
    except OSError as error:
        raise MissingInput(
            f"{target}: the picture cannot be written ({error.strerror}); name a file in a folder that you may write to"
        ) from error
    return target
