"""What a source is: a reader that recognises its own files in a folder, lists them, and reads one at a time.

Detection (`motionunion.sources.detect`) walks the given paths folder by folder and shows each `Folder` to every source;
what a source claims is its own, what none claims is reported. A reader neither writes, resamples nor judges quality.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypeVar, cast

from motionunion.clip import Annotation, ClipRef, RawClip
from motionunion.joint_map import JointMap

Reading: TypeAlias = RawClip | Annotation
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a person may choose about reading. Crosses process borders, hence plain values only."""

    body_models: Path | None = None
    """Folder of licensed SMPL-H / SMPL-X model files; None = the template body (`motionunion.body`)."""
    skeletons: tuple[JointMap, ...] = ()
    """Maps of skeletons that are not known, as `motionunion.joint_maps.read_joint_map` reads them."""


@dataclass(frozen=True, slots=True)
class Skip:
    """Files that nobody reads, with the reason; `path` is the file, or the folder that holds `count` of them."""

    path: Path
    reason: str
    count: int = 1

    def to_json(self) -> dict[str, Any]:
        return {"path": str(self.path), "reason": self.reason, "count": self.count}


@dataclass(frozen=True, slots=True)
class Claim:
    """The files that one source takes, below one root. Claims of one source with the same root are joined."""

    source: str
    root: Path
    """Keys are relative to it, where names alone do not give them; usually `Folder.top`."""
    files: tuple[Path, ...]
    """Every file to be read, captions and indexes included, sorted."""
    skipped: tuple[Skip, ...] = ()
    """Files that the source knows and leaves out (`shape.npz`), with the reason."""
    sidecars: tuple[Path, ...] = ()
    """Caption files beside the motion files, filled in by detection; a source leaves them to the ingest."""
    skeletons: tuple[JointMap, ...] = ()
    """Maps that a person brought, by which these files were recognised."""


@dataclass(slots=True)
class Folder:
    """One directory as a source sees it: sorted names, and the first bytes of its files, read at most once."""

    path: Path
    top: Path
    """The path the person gave, below which this folder was found (a file's own folder where a file was given)."""
    names: tuple[str, ...]
    """Plain files in this folder, sorted; hidden ones left out."""
    folders: tuple[str, ...] = ()
    """Folders in this folder, sorted; hidden ones left out."""
    not_text: tuple[str, ...] = ()
    """Files and folders whose names are not UTF-8, sorted: no key, and no row of a table, could hold them."""
    trouble: str | None = None
    """Why the folder could not be listed, for one that could not."""
    skeletons: tuple[JointMap, ...] = ()
    """Maps that a person brought (`ReadOptions.skeletons`)."""
    unreadable: dict[str, str] = field(default_factory=dict)
    """Files that could not be opened when their heads were wanted, with the reason."""
    _heads: dict[str, bytes] = field(default_factory=dict)
    _below: dict[str, Folder] = field(default_factory=dict)
    _found: dict[str, object] = field(default_factory=dict)

    @classmethod
    def list(cls, path: Path, top: Path | None = None) -> Folder:
        """List a directory. Raises `OSError` where it cannot be read."""
        files: list[str] = []
        folders: list[str] = []
        not_text: list[str] = []
        for entry in path.iterdir():
            if entry.name.startswith("."):
                continue
            if not is_text(entry.name):
                not_text.append(entry.name)
            elif entry.is_dir():
                folders.append(entry.name)
            elif entry.is_file():
                files.append(entry.name)
        return cls(
            path, path if top is None else top, tuple(sorted(files)), tuple(sorted(folders)), tuple(sorted(not_text))
        )

    def head(self, name: str, size: int = 16384) -> bytes:
        """The first `size` bytes of a file: fewer where the file is shorter, none where it cannot be read."""
        known = self._heads.get(name, b"")
        if len(known) < size and name not in self.unreadable:
            try:
                with (self.path / name).open("rb") as file:
                    known = file.read(size)
            except OSError as error:
                self.unreadable[name] = error.strerror or str(error)
            self._heads[name] = known
        return known[:size]

    def below(self, name: str) -> Folder | None:
        """A folder in this one, listed; None where there is none of that name. One that cannot be listed is empty."""
        if name not in self.folders:
            return None
        if name not in self._below:
            try:
                self._below[name] = Folder.list(self.path / name, self.top)
            except OSError as error:
                self._below[name] = Folder(self.path / name, self.top, (), trouble=error.strerror or str(error))
        return self._below[name]

    def once(self, label: str, find: Callable[[], Found]) -> Found:
        """What `find` returns, computed once per folder: sources that look for the same thing share the work."""
        if label not in self._found:
            self._found[label] = find()
        return cast(Found, self._found[label])

    def with_suffix(self, *suffixes: str) -> tuple[str, ...]:
        """Names with one of the suffixes (`.bvh`), whatever their case."""
        return tuple(name for name in self.names if name.lower().endswith(suffixes))


def refs_by_stem(source: str, claim: Claim, suffix: str) -> Iterator[ClipRef]:
    """One clip per claimed file of a suffix, sorted by key, which is the file's name; of files of one name the last path's."""
    motions = {path.stem: path for path in claim.files if path.suffix.lower() == suffix}
    for key, path in sorted(motions.items()):
        yield ClipRef(source=source, key=key, uid=f"{source}/{key.lower()}", path=path, root=claim.root,
                      size=path.stat().st_size)  # fmt: skip


def is_text(name: str) -> bool:
    """Whether a file system's name is text: where its bytes are not UTF-8, Python puts half characters for them."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


class Source(Protocol):
    """A reader of one data set as published. One instance per source, in `motionunion.sources.SOURCES`."""

    @property
    def name(self) -> str:
        """Name of the source and of its manifest, `manifests/sources/<name>.toml`."""

    @property
    def version(self) -> int:
        """Raised whenever the same file would give other values."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """What `--source NAME` makes this reader take beyond what it recognises (`(".bvh",)`); () = nothing."""

    def recognise(self, folder: Folder) -> Claim | None:
        """Claim the files of this folder (or below it) that are this source's, by content and layout.

        The folder's own name proves nothing. Reads heads, never whole files.
        """

    def discover(self, claim: Claim) -> Iterator[ClipRef]:
        """List what the claimed files hold, sorted by key. A key does not change with the folder's whereabouts."""

    def read(self, ref: ClipRef, options: ReadOptions) -> Reading:
        """Read one. Raises `SourceFormatError` or `ClipError` for what cannot be read; nothing else is lost."""
