"""The CMU motion capture database as CMU gives it out: Acclaim skeletons (asf) and motions (amc)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from manifests import source_manifest
from motionunion.clip import Caption, ClipRef, RawClip
from motionunion.errors import SourceFormatError
from motionunion.formats.amc import read_amc
from motionunion.formats.asf import Asf, read_asf
from motionunion.joint_maps import skeleton_id_of
from motionunion.sources.base import Claim, Folder, ReadOptions
from motionunion.sources.cmu_takes import INDEX, Take, description, index_file, take_of

_INCH_M = 0.0254
_AMC_WORDS = (b":FULLY-SPECIFIED", b":DEGREES", b"#!OML:ASF")


class CmuAsfAmc:
    """CMU Graphics Lab motion capture, original files.

    About 2,500 takes, +Y up; one length unit is 1 / `length` inch by the skeleton's own `length` (0.45: 0.05644 m). A
    motion `01_05.amc` belongs to the skeleton `01.asf` beside it, or to the only skeleton there. The files store no rate: it comes
    from the manifest's table by take. Takes are in AMASS too, so the uid is AMASS's. Captions come from cgspeed's
    `cmu-mocap-index-text.txt`, where it lies in the folder of the files or in one of the two above.
    """

    name = "cmu_asfamc"
    version = 1
    suffixes: tuple[str, ...] = (".amc",)

    @property
    def manifest(self) -> dict[str, Any]:
        """`manifests/sources/cmu_asfamc.toml`."""
        return source_manifest(self.name)

    def recognise(self, folder: Folder) -> Claim | None:
        """Claim the motions that are called after a take, and the skeletons beside them."""
        motions = [
            name
            for name in folder.with_suffix(".amc")
            if take_of(Path(name).stem) and any(word in folder.head(name, 4096).upper() for word in _AMC_WORDS)
        ]
        if not motions:
            return None
        beside = [*folder.with_suffix(".asf"), *(name for name in folder.names if name == INDEX)]
        return Claim(self.name, folder.top, tuple(sorted(folder.path / name for name in (*motions, *beside))))

    def discover(self, claim: Claim) -> Iterator[ClipRef]:
        """One clip per motion file, sorted by key: its stem, or its path from the root where a stem is not unique."""
        motions = [path for path in claim.files if path.suffix.lower() == ".amc"]
        stems = Counter(path.stem for path in motions)
        refs = []
        for path in motions:
            take, unique = take_of(path.stem), stems[path.stem] == 1
            key = path.stem if unique else path.relative_to(claim.root).with_suffix("").as_posix()
            uid = take.uid if take and unique else f"{self.name}/{key.lower()}"
            size = path.stat().st_size
            refs.append(ClipRef(source=self.name, key=key, uid=uid, path=path, root=claim.root, size=size))
        yield from sorted(refs, key=lambda ref: ref.key)

    def read(self, ref: ClipRef, options: ReadOptions) -> RawClip:
        """Read one motion with its skeleton. Raises `SourceFormatError`."""
        take = take_of(ref.path.stem)
        skeleton_file = _skeleton_file(ref.path, take)
        asf = read_asf(skeleton_file)
        skeleton_id = skeleton_id_of(asf.skeleton.names)
        if skeleton_id != "cmu_asfamc":
            raise SourceFormatError(
                skeleton_file,
                f"the bones are not CMU's ({len(asf.skeleton.names) - 1} bones): leave the files out",
                reason="unknown_skeleton",
            )
        amc = read_amc(ref.path, asf)
        fps = amc.fps or (take.fps if take else None)
        if fps is None:
            raise SourceFormatError(
                ref.path,
                "the file does not say how many frames a second it has, and no take of the database is called so: name it after "
                "its take (01_05.amc), or add a line `:SAMPLES-PER-SECOND 120` before the first frame",
                reason="unknown_frame_rate",
            )
        caption, inputs, faults = _caption(ref, take)
        return RawClip(
            ref=ref,
            fps=fps,
            up=self.manifest["up"],
            unit_m=_unit_m(asf),
            skeleton=asf.skeleton,
            skeleton_id=skeleton_id,
            body="own",
            quats_TJ4=amc.quats_TJ4(),
            root_T3=amc.root_T3(),
            captions=caption,
            labels={} if take is None else {"subject": take.subject, "take": take.number},
            inputs=(ref.path, skeleton_file, *inputs),
            faults=faults,
        )


def _unit_m(asf: Asf) -> float:
    return _INCH_M / asf.length


def _skeleton_file(motion: Path, take: Take | None) -> Path:
    """The skeleton of a motion: by the subject's number, else the only one in the folder."""
    try:
        here = {path.stem: path for path in sorted(motion.parent.iterdir()) if path.suffix.lower() == ".asf"}
    except OSError as error:
        raise SourceFormatError(
            motion, f"its folder cannot be read ({error.strerror or error})", reason="unreadable"
        ) from error
    if take is not None and take.subject in here:
        return here[take.subject]
    if len(here) == 1:
        return next(iter(here.values()))
    wanted = "a skeleton" if take is None else f"{take.subject}.asf"
    raise SourceFormatError(
        motion,
        f"its skeleton is not beside it: put {wanted} into the same folder"
        + (f" ({len(here)} others are there)" if here else ""),
        reason="no_skeleton",
    )


def _caption(
    ref: ClipRef, take: Take | None
) -> tuple[tuple[Caption, ...], tuple[Path, ...], tuple[SourceFormatError, ...]]:
    index = index_file(ref.path)
    if take is None or index is None:
        return (), (), ()
    try:
        text = description(index, take)
    except SourceFormatError as error:
        return (), (), (error,)
    if text is None:
        return (), (), ()
    return (Caption(uid=ref.uid, text=text, layer="labels", generator="human"),), (index,), ()
