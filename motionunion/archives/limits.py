"""What is too much for an archive of motion data. Each number is far above what the data sets of the field need."""

from __future__ import annotations

CHUNK = 1 << 18
"""Bytes moved at a time."""

MAX_MEMBER_BYTES = 4 << 30
"""One member. The largest files that any reader opens (body models, pickles) end at 1 GiB."""

MAX_ARCHIVE_BYTES = 1 << 40
"""All members kept of one archive. The largest downloads of the field unpack to some hundred GB."""

MAX_MEMBERS = 2_000_000
"""Members, kept or not. The largest published set has some hundred thousand files; each costs a header of 512 bytes."""

MAX_RATIO = 200
"""Bytes of content per packed byte. Text of motions packs 10 to 20 to 1, still poses perhaps 100 to 1; bombs 1,000 and more."""

FREE_OF_RATIO = 64 << 20
"""Content below which the ratio is not looked at: so much does no harm, however well it was packed."""

MAX_PAX_BYTES = 1 << 20
"""Extended header of one tar member. A name of the longest kind takes 4 KB."""

MAX_NAME_BYTES = 4096
"""Length of a name, as file systems have it; one part of it may have 255."""
MAX_PART_BYTES = 255
MAX_DEPTH = 32
"""Folders inside folders. Data sets have four or five."""

MAX_DECODER_MEMORY = 256 << 20
"""Memory that an xz stream may ask for: `xz -9` needs 65 MiB."""

MAX_REFUSALS = 1000
"""Refused members that get a row each; the others are counted in one."""

KEPT_FREE = 512 << 20
"""Bytes of the disk that unpacking leaves free: the store is written beside it."""

MAX_TAIL = 1 << 20
"""Bytes read behind the end of a tar, to reach the checksum of its packing; `tar` pads to 10 KB."""
