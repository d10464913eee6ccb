"""Archives made by hand, so that they can lie, and a way to unpack them that sees every file written anywhere near."""

from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from motionunion.archives.unpack import Unpacked, unpack

BLOCK = 512


@dataclass
class Given:
    """What unpacking gave: the report, and the files by name."""

    report: Unpacked
    files: dict[str, bytes]

    @property
    def reasons(self) -> list[str]:
        return [refused.reason for refused in self.report.refused]


@pytest.fixture
def open_up(tmp_path: Path) -> Callable[[Path | bytes], Given]:
    """Unpack an archive; nothing may appear, change or vanish but below the folder it was given."""
    count = 0

    def around() -> dict[Path, bytes | None]:
        return {path: path.read_bytes() if path.is_file() else None for path in tmp_path.rglob("*")}

    def run(archive: Path | bytes) -> Given:
        nonlocal count
        count += 1
        if isinstance(archive, bytes):
            path = tmp_path / f"archive-{count}"
            path.write_bytes(archive)
            archive = path
        folder = tmp_path / f"jail-{count}" / "deep" / "folder"
        folder.mkdir(parents=True)
        before = around()
        report = unpack(archive, folder)
        after = around()
        assert {path: after.get(path) for path in before} == before
        inside = [path for path in after if path.is_relative_to(folder) and path != folder]
        assert set(after) - set(before) == set(inside)
        assert not any(path.is_symlink() for path in inside)
        files = {path.relative_to(folder).as_posix(): after[path] for path in inside if path.is_file()}
        assert len(files) == report.files
        assert sum(len(data or b"") for data in files.values()) == report.bytes
        shutil.rmtree(tmp_path / f"jail-{count}")
        return Given(report, {name: data or b"" for name, data in sorted(files.items())})

    return run


@pytest.fixture
def tar_of() -> Callable[..., bytes]:
    """A tar of names and bytes; keyword arguments go to `tarfile.open`."""

    def make(files: dict[str, bytes], mode: str = "w", mtime: int = 1_600_000_000, **options: Any) -> bytes:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode=mode, **options) as archive:
            for name, data in files.items():
                info = tarfile.TarInfo(name)
                info.size, info.mtime = len(data), mtime
                archive.addfile(info, io.BytesIO(data))
        return buffer.getvalue()

    return make


@pytest.fixture
def entry() -> Callable[..., bytes]:
    """One entry of a tar as bytes: a header with its checksum, which may say anything, and content."""

    def make(
        name: bytes,
        data: bytes = b"",
        kind: bytes = b"0",
        size: bytes | None = None,
        link: bytes = b"",
        tail: bytes = b"",
    ) -> bytes:
        stated = f"{len(data):011o}\0".encode() if size is None else size
        block = (
            name.ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + stated.ljust(12, b"\0")[:12] + b"14000000000\0"
        )
        block += b" " * 8 + kind + link.ljust(100, b"\0") + b"ustar\x0000" + tail
        block = block.ljust(BLOCK, b"\0")
        block = block[:148] + f"{sum(block):06o}\0 ".encode() + block[156:]
        return block + data + b"\0" * (-len(data) % BLOCK)

    return make
