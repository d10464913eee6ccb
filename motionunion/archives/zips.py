"""Members of a zip, in the order of its directory; where that is missing, in the order of their own headers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from motionunion.archives.limits import FREE_OF_RATIO, MAX_RATIO
from motionunion.archives.member import Broken, Member
from motionunion.archives.source_file import ByteFile
from motionunion.archives.zip_directory import find_directory, overlapping, read_directory
from motionunion.archives.zip_member import content_of, kind_of, name_of, problem_of, time_of
from motionunion.archives.zip_recovery import recovered_members


def zip_members(file: ByteFile) -> Iterator[Member]:
    """Every member once. Raises `Broken` where the directory is missing (behind the members that can be read without it) or
    damaged, and where the whole becomes too large for what it is packed in."""
    length = file.seek(0, 2)
    spent = _Spent()
    for member in _members(file, length):
        yield replace(member, content=spent.counted(member.content))
        if spent.given > FREE_OF_RATIO and spent.given > MAX_RATIO * length:
            raise Broken(
                "bomb",
                f"its {length:,} bytes have already become {spent.given:,}; no motion data packs more than {MAX_RATIO} to 1: "
                "what follows is left unread",
            )


def _members(file: ByteFile, length: int) -> Iterator[Member]:
    try:
        directory = find_directory(file, length)
    except Broken as broken:
        if broken.reason == "truncated":
            yield from recovered_members(file, length)
        raise
    overlaps = overlapping(file, directory)
    for number, entry in enumerate(read_directory(file, directory)):
        name, problem = name_of(entry)
        kind = kind_of(entry, name)
        problem = problem or problem_of(entry, kind, overlap=bool(overlaps[number]))
        content = iter(()) if kind == "folder" else content_of(file, entry)
        yield Member(name, kind, entry.size, time_of(entry.dos_time), content, problem)


class _Spent:
    """How much content was asked for."""

    def __init__(self) -> None:
        self.given = 0

    def counted(self, content: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in content:
            self.given += len(chunk)
            yield chunk
