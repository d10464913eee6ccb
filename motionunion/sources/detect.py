"""What lies at a path: which sources, which files, and what nobody reads, with the reason.

Every plain file below the given paths ends up in a claim, in `archives` or in `skipped`. Hidden files and folders are left
out, and a folder is entered once, whatever symbolic links lead to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from motionunion.archives.names import is_archive
from motionunion.errors import MissingInput, UsageError
from motionunion.joint_maps import JOINT_MAPS, JointMap
from motionunion.sources import SOURCES
from motionunion.sources.base import Claim, Folder, Skip, Source, is_text
from motionunion.sources.leftovers import why_skipped

_MOTION = (".npz", ".bvh", ".amc", ".pkl")
_BESIDE = (".txt", ".json")


@dataclass(frozen=True, slots=True)
class Archive:
    """A file that holds others, by its name; what is in it is found out when it is unpacked."""

    path: Path
    key: str
    """Its path below the one that the person gave."""


@dataclass(frozen=True, slots=True)
class Detection:
    """What was found below some paths."""

    claims: tuple[Claim, ...]
    """One per source and root, in the order of `SOURCES`."""
    skipped: tuple[Skip, ...]
    """What is not read: one entry per reason and folder, `path` the file where it is a single one."""
    archives: tuple[Archive, ...] = ()
    """Sorted by key; where two paths hold the same key, the later one's begins with its folder."""

    @property
    def unopened(self) -> tuple[Skip, ...]:
        """The archives as what nobody has looked into, for who only looks ahead."""
        reason = "archive: ingest unpacks it, reads what is in it and removes that again; a dry run does not open it"
        return tuple(Skip(archive.path, reason) for archive in self.archives)


def recognise(paths: Sequence[Path], source: str | None = None, skeletons: tuple[JointMap, ...] = ()) -> Detection:
    """Walk the paths and find out which source each file belongs to.

    Args:
        paths: Folders or single files.
        source: Name of the one source to read everything as, files included that it would not have recognised by
            itself; None to recognise.
        skeletons: Maps that a person brought; each must be that of some file, unless archives are still to be opened.

    Raises:
        UsageError: `source` is not the name of a source, no path is given, or no file has the skeleton of a map.
        MissingInput: a path does not exist or cannot be read, or nothing below the paths is motion or an archive.
    """
    found = look_around(paths, source, skeletons)
    used = {joint_map.skeleton_id for claim in found.claims for joint_map in claim.skeletons}
    for joint_map in skeletons:
        if joint_map.skeleton_id not in used and not found.archives:
            raise UsageError(_unused(joint_map, source))
    if not found.claims and not found.archives:
        raise MissingInput(_nothing_found(paths, found.skipped, source))
    return found


def look_around(paths: Sequence[Path], source: str | None = None, skeletons: tuple[JointMap, ...] = ()) -> Detection:
    """As `recognise`, but finding nothing is a result."""
    if not paths:
        raise UsageError("no path given: name the folders or files to ingest")
    if source is not None and source not in SOURCES:
        raise UsageError(f"--source {source}: no such source; there are {', '.join(sorted(SOURCES))}")
    claims: list[Claim] = []
    skipped: list[Skip] = []
    archives: list[Archive] = []
    taken: set[Path] = set()
    for path in dict.fromkeys(Path(path).absolute() for path in paths):
        if not is_text(str(path)):
            raise MissingInput(
                f"{path}: this name is not UTF-8 text, and keys of motions are made from names; rename it"
            )
        for folder in _folders(path):
            folder.skeletons = skeletons
            found = _of_folder(folder, source, taken)
            claims += found.claims
            skipped += found.skipped
            archives += found.archives
    return Detection(_joined(claims), _grouped(skipped, taken), _told_apart(archives))


def _folders(path: Path) -> Iterator[Folder]:
    """Every folder below a path, parents first; for a file, its folder with that file alone."""
    try:
        if path.is_file():
            # With what lies beside it under its name: a sidecar's captions, a file of labels.
            beside = {path.with_suffix(suffix).name for suffix in _BESIDE if path.with_suffix(suffix).is_file()}
            yield Folder(path.parent, path.parent, tuple(sorted({path.name, *beside})))
            return
        if not path.is_dir():
            raise MissingInput(f"{path}: there is no such file or folder")
        seen: set[tuple[int, int]] = set()
        waiting = [Folder.list(path, path)]
        while waiting:
            folder = waiting.pop()
            try:
                status = folder.path.lstat() if folder.trouble else folder.path.stat()
            except OSError:  # it went away after the one above it was listed
                yield folder
                continue
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            yield folder
            waiting += [below for name in reversed(folder.folders) if (below := folder.below(name)) is not None]
    except OSError as error:
        raise MissingInput(f"{error.filename or path}: cannot be read ({error.strerror or error})") from error


def _of_folder(folder: Folder, source: str | None, taken: set[Path]) -> Detection:
    """Ask the sources about one folder; `taken` gathers every file that has found its place."""
    claims: list[Claim] = []
    skipped: list[Skip] = []
    archives: list[Archive] = []
    for name, reader in SOURCES.items():
        if source is not None and name != source:
            continue
        for claim in _asked(reader, folder, forced=source is not None, taken=taken):
            files = tuple(path for path in claim.files if path not in taken)
            taken.update(files)
            taken.update(skip.path for skip in claim.skipped)
            skipped += claim.skipped
            if files:
                sidecars = _sidecars(folder, files)
                taken.update(sidecars)
                claims.append(replace(claim, files=files, skipped=(), sidecars=sidecars))
    if folder.trouble:
        skipped.append(Skip(folder.path, f"folder that cannot be read ({folder.trouble})"))
    skipped += [Skip(folder.path / name, "its name is not UTF-8 text; rename it") for name in folder.not_text]
    for name in folder.names:
        path = folder.path / name
        if path in taken:
            continue
        taken.add(path)
        if is_archive(name):
            archives.append(Archive(path, path.relative_to(folder.top).as_posix()))
        else:
            skipped.append(Skip(path, why_skipped(folder, name)))
    return Detection(tuple(claims), tuple(skipped), tuple(archives))


def _asked(reader: Source, folder: Folder, *, forced: bool, taken: set[Path]) -> Iterator[Claim]:
    claim = reader.recognise(folder)
    if claim is not None:
        yield claim
    if forced and reader.suffixes:
        known = taken.union(claim.files if claim else (), (skip.path for skip in claim.skipped) if claim else ())
        more = [folder.path / name for name in folder.with_suffix(*reader.suffixes)]
        more = [path for path in more if path not in known]
        if more:
            yield Claim(reader.name, claim.root if claim else folder.top, tuple(more))


def _sidecars(folder: Folder, files: tuple[Path, ...]) -> tuple[Path, ...]:
    """Caption files of motion files in this folder, by their names (`motionunion.captions.sidecar_captions`)."""
    stems = {path.stem for path in files if path.parent == folder.path and path.suffix.lower() in _MOTION}
    return tuple(folder.path / name for name in folder.with_suffix(".txt") if Path(name).stem in stems)


def _joined(claims: Iterable[Claim]) -> tuple[Claim, ...]:
    merged: dict[tuple[str, Path], Claim] = {}
    for claim in claims:
        before = merged.get((claim.source, claim.root), Claim(claim.source, claim.root, ()))
        merged[claim.source, claim.root] = replace(
            claim,
            files=before.files + claim.files,
            sidecars=before.sidecars + claim.sidecars,
            skeletons=tuple(dict.fromkeys(before.skeletons + claim.skeletons)),
        )
    order = list(SOURCES)
    found = [replace(c, files=tuple(sorted(c.files)), sidecars=tuple(sorted(c.sidecars))) for c in merged.values()]
    return tuple(sorted(found, key=lambda claim: (order.index(claim.source), str(claim.root))))


def _told_apart(archives: Iterable[Archive]) -> tuple[Archive, ...]:
    """Archives sorted by key, each key once: of several paths that hold the same one, all but the first get a longer one."""
    by_key: dict[str, Archive] = {}
    for archive in sorted(archives, key=lambda one: (one.key, str(one.path))):
        key = archive.key
        for parent in archive.path.parents[len(Path(key).parts) - 1 :]:
            if key not in by_key:
                break
            key = f"{parent.name}/{key}"
        by_key[key] = replace(archive, key=key)
    return tuple(by_key[key] for key in sorted(by_key))


def _grouped(skipped: Iterable[Skip], taken: set[Path]) -> tuple[Skip, ...]:
    groups: dict[tuple[Path, str], list[Skip]] = {}
    for skip in skipped:
        folder = skip.path if skip.count > 1 else skip.path.parent
        groups.setdefault((folder, skip.reason), []).append(skip)
    return tuple(
        found[0] if len(found) == 1 else Skip(folder, reason, sum(skip.count for skip in found))
        for (folder, reason), found in sorted(groups.items(), key=lambda item: (str(item[0][0]), item[0][1]))
    )


def _unused(joint_map: JointMap, source: str | None) -> str:
    known = [known.skeleton_id for known in JOINT_MAPS.values() if set(known.names) & set(joint_map.names)]
    if known and source is None:
        return (
            f"--skeleton {joint_map.skeleton_id}: this skeleton is known as {known[0]}, and its files are read without a map; to "
            "read them by yours, add --source bvh"
        )
    return (
        f"--skeleton {joint_map.skeleton_id}: no BVH file that is not of a known skeleton has exactly these joints in this order "
        f"({len(joint_map.names[0])} joints, first {joint_map.names[0][0]}): make a map from one of the files with "
        "`motionunion skeleton inspect FILE --save map.toml`, or add --source bvh to read known skeletons by your map too"
    )


def _nothing_found(paths: Sequence[Path], skipped: Sequence[Skip], source: str | None) -> str:
    where = ", ".join(str(path) for path in paths)
    sources = source if source is not None else ", ".join(SOURCES)
    message = f"{where}: found no motion of {sources}"
    if skipped:
        reasons = Counter[str]()
        for skip in skipped:
            reasons[skip.reason] += skip.count
        message += "; there: " + "; ".join(f"{count} x {reason}" for reason, count in reasons.most_common(3))
    else:
        message += "; the folder holds no files"
    return (
        message
        + ". Name a folder, or an archive, with AMASS .npz, a HumanML3D folder or one of the BVH sets named above."
    )
