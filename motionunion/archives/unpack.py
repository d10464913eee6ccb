"""From an archive to a folder, in one pass: what a source could read is written and hashed, the rest is counted.

Nothing is written outside the folder. No link is ever made in it, names are parts of plain text, and files are opened
only where nothing lies, so there is nothing that could lead out.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

from motionunion.archives.decoding import START, Decoded, is_plain_tar
from motionunion.archives.limits import (
    KEPT_FREE,
    MAX_ARCHIVE_BYTES,
    MAX_MEMBER_BYTES,
    MAX_MEMBERS,
    MAX_REFUSALS,
)
from motionunion.archives.member import Broken, Member, Refusal
from motionunion.archives.names import PACKED, WANTED, SeenNames, safe_path, shown_name
from motionunion.archives.source_file import ByteFile, open_source
from motionunion.archives.tar import tar_members
from motionunion.archives.zips import zip_members

VERSION = 2
"""Raised whenever the same archive would give other files."""

_LFS_POINTER = b"version https://git-lfs"
_ZIP = b"PK"
_LOOK_EVERY = 64 << 20
"""Bytes of one member after which the room on the disk is looked at again."""
_NO_NAME = (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL)
"""What a disk says of a name that it does not take: 4,096 bytes count from its root, and some take other letters, or fewer."""
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True, slots=True)
class Refused:
    """A member, or the archive itself where `name` is empty, and why it was not read."""

    name: str
    reason: str
    problem: str


@dataclass(slots=True)
class Unpacked:
    """What one archive gave."""

    files: int = 0
    bytes: int = 0
    refused: list[Refused] = field(default_factory=list)
    """At most `MAX_REFUSALS`, and one that counts the others."""
    passed: Counter[str] = field(default_factory=Counter)
    """Members that nobody reads, by suffix."""
    whole: bool = True
    """Whether it was read to its end."""
    digest: str = ""
    """sha256 over names and sha256 of the members kept, and over what was refused, in the archive's order."""


def unpack(archive: Path, folder: Path, on_bytes: Callable[[int], None] | None = None) -> Unpacked:
    """Unpack what a source could read into an empty folder, and say what was not.

    Never raises for what the archive holds: damage and attacks are in `refused`. Where a checksum says that bytes
    already written may be bad, their files are removed again.

    Args:
        archive: The file.
        folder: Where to; it exists. A journal is written beside it, as `<folder>.members`.
        on_bytes: Is told how many bytes of the archive were read, as they are.

    Raises:
        OSError: The folder cannot be written (a full disk, no permission).
    """
    journal_path = folder.with_name(f"{folder.name}.members")
    with journal_path.open("w+", encoding="utf-8", newline="\n") as journal:
        desk = _Desk(folder, journal)
        try:
            with open_source(archive, on_bytes or (lambda count: None)) as file:
                desk.read_all(file)
        except Broken as broken:
            desk.stop(broken)
        result = desk.finished()
    journal_path.unlink()
    return result


class _Desk:
    """Takes the members of one archive, one after the other."""

    def __init__(self, folder: Path, journal: IO[str]) -> None:
        self._folder, self._journal = folder, journal
        self._result = Unpacked()
        self._seen = SeenNames()
        self._digest = hashlib.sha256()
        self._members = 0
        self._uncounted = 0
        self._stream: Decoded | None = None

    def read_all(self, file: ByteFile) -> None:
        """Every member. Raises `Broken`."""
        start = file.read(START)
        file.seek(0)
        if start.startswith(_LFS_POINTER):
            raise Broken("git_lfs_pointer", "is a Git LFS pointer, not the data; fetch the data with `git lfs pull`")
        if not start:
            raise Broken("truncated", "is empty: copy or download it again")
        for member in self._of_kind(file, start):
            self._members += 1
            if self._members > MAX_MEMBERS:
                raise Broken("too_large", f"holds more than {MAX_MEMBERS:,} members; what follows is left unread")
            try:
                self._take(member)
            except Refusal as refusal:
                self._refuse(shown_name(member.name), refusal.reason, refusal.problem)

    def stop(self, broken: Broken) -> None:
        """Take down why the archive could not be read to its end, and remove what may be damaged."""
        self._result.whole = False
        problem = broken.problem
        if broken.verified is not None:
            removed = self._remove_behind(broken.verified)
            if removed:
                problem += (
                    f"; {removed:,} members before the damage have no checksum that clears them, and are left out too"
                )
        self._refuse("", broken.reason, problem)

    def finished(self) -> Unpacked:
        if self._uncounted:
            self._result.refused.append(Refused("", "more_refused", f"{self._uncounted:,} more members were refused"))
        self._result.digest = self._digest.hexdigest()
        return self._result

    def _of_kind(self, file: ByteFile, start: bytes) -> Iterator[Member]:
        if start.startswith(_ZIP) and not is_plain_tar(start):
            return zip_members(file)
        self._stream = Decoded(file)
        return tar_members(self._stream)

    def _take(self, member: Member) -> None:
        path = safe_path(member.name)
        if member.kind == "folder" or (path is None and member.kind == "file"):
            return
        if member.problem is not None:
            raise member.problem
        if member.kind != "file":
            raise Refusal("unsafe_member", f"it is a {member.kind}; only plain files are unpacked")
        assert path is not None
        suffix = path.suffix.lower()
        if path.name.lower().endswith(PACKED):
            raise Refusal("nested_archive", "an archive inside an archive is not opened; unpack the outer one")
        if suffix not in WANTED:
            self._result.passed[suffix] += 1
            return
        if member.size > MAX_MEMBER_BYTES:
            raise Refusal("too_large", f"it has {member.size:,} bytes; {MAX_MEMBER_BYTES:,} are the most we unpack")
        self._write(member, path)

    def _write(self, member: Member, path: PurePosixPath) -> None:
        target = self._folder / path
        if not self._seen.add(path):
            self._compare(member, target)
            return
        self._make_room(member.size)
        content = hashlib.sha256()
        size = 0
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(target, _NEW, 0o600)
        except (FileExistsError, NotADirectoryError) as error:
            raise Refusal("duplicate_member", "a file and a folder of the archive bear the same name") from error
        except OSError as error:
            if error.errno not in _NO_NAME:
                raise
            problem = f"its name cannot be written to the disk that is unpacked to ({error.strerror})"
            raise Refusal("unsafe_member", problem) from error
        try:
            with os.fdopen(file, "wb") as out:
                for chunk in member.content:
                    size += len(chunk)
                    self._watch(size, size - len(chunk))
                    content.update(chunk)
                    out.write(chunk)
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        os.utime(target, (member.mtime, member.mtime))
        self._result.files += 1
        self._result.bytes += size
        if self._result.bytes > MAX_ARCHIVE_BYTES:
            raise Broken(
                "too_large", f"holds more than {MAX_ARCHIVE_BYTES:,} bytes of data; what follows is left unread"
            )
        position = self._stream.position if self._stream is not None else 0
        self._journal.write(f"{position}\t{path}\n")
        self._digest.update(f"{path}\0{content.hexdigest()}\n".encode())

    def _compare(self, member: Member, target: Path) -> None:
        """A second member of a name that was there: of no account if it holds the same, else refused."""
        content = hashlib.sha256()
        for chunk in member.content:
            content.update(chunk)
        try:
            with target.open("rb") as file:
                same = hashlib.file_digest(file, "sha256").digest() == content.digest()
        except OSError:  # another case, or it was refused
            same = False
        if not same:
            raise Refusal(
                "duplicate_member",
                "the archive holds another file of this name before it (upper and lower case count as one), which "
                "is read",
            )

    def _make_room(self, size: int) -> None:
        free = shutil.disk_usage(self._folder).free
        if size + KEPT_FREE > free:
            raise OSError(errno.ENOSPC, f"{size:,} bytes are to be unpacked, {free:,} are free", str(self._folder))

    def _watch(self, size: int, before: int) -> None:
        """Hold limits for members whose headers do not say their size."""
        if size > MAX_MEMBER_BYTES:
            raise Refusal("too_large", f"it has more than {MAX_MEMBER_BYTES:,} bytes, the most we unpack")
        if size // _LOOK_EVERY != before // _LOOK_EVERY:
            self._make_room(0)

    def _refuse(self, name: str, reason: str, problem: str) -> None:
        self._digest.update(f"{name}\0{reason}\n".encode())
        if len(self._result.refused) < MAX_REFUSALS or not name:
            self._result.refused.append(Refused(name, reason, problem))
        else:
            self._uncounted += 1

    def _remove_behind(self, verified: int) -> int:
        """Remove the files that ended behind a place in the stream; says how many."""
        self._journal.seek(0)
        removed = 0
        for line in self._journal:
            end, _, path = line.rstrip("\n").partition("\t")
            if int(end) > verified:
                target = self._folder / path
                self._result.bytes -= target.stat().st_size
                target.unlink()
                removed += 1
        self._result.files -= removed
        return removed
