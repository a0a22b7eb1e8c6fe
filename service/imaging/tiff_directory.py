"""The first directory of a TIFF file: which tags there are, and their whole-number values."""

import struct
from dataclasses import dataclass
from typing import Final

import numpy as np

from service.errors import BrokenImage

_NUMBERS: Final = {1: "u1", 3: "u2", 4: "u4", 16: "u8"}  # TIFF's integer types
_MAX_ENTRIES: Final = 500
_MAX_VALUES: Final = 2**18  # of one tag: no picture within the limits needs more strips
_ORIENTATION: Final = 274


@dataclass(frozen=True)
class _Entry:
    kind: int
    count: int
    field: int  # where its value, or the offset of its values, lies in the file


@dataclass(frozen=True)
class Directory:
    """order: `<` or `>`, the file's byte order."""

    data: bytes
    order: str
    big: bool  # BigTIFF: offsets of 8 bytes
    entries: dict[int, _Entry]

    def has(self, tag: int) -> bool:
        return tag in self.entries

    def value(self, tag: int, default: int) -> int:
        """The first value of a tag; BrokenImage if it is no whole number within the file."""
        return self.values(tag, default)[0]

    def values(self, tag: int, *default: int) -> tuple[int, ...]:
        """All values of a tag; BrokenImage as above, or without a default if it is missing."""
        entry = self.entries.get(tag)
        if entry is None:
            if not default:
                raise BrokenImage(f"the TIFF directory has no tag {tag}")
            return default
        if entry.kind not in _NUMBERS or not 1 <= entry.count <= _MAX_VALUES:
            raise BrokenImage(f"TIFF tag {tag} is damaged")
        dtype = np.dtype(self.order + _NUMBERS[entry.kind])
        position = entry.field
        if entry.count * dtype.itemsize > (8 if self.big else 4):
            (position,) = struct.unpack_from(self.order + ("Q" if self.big else "I"), self.data,
                                             entry.field)  # fmt: skip
        if position + entry.count * dtype.itemsize > len(self.data):
            raise BrokenImage("the TIFF is truncated")
        return tuple(np.frombuffer(self.data, dtype, entry.count, position).tolist())

    def without_orientation(self, data: bytes) -> bytes:
        """The file with its orientation set to "as stored", for decoders that would apply it."""
        entry = self.entries.get(_ORIENTATION)
        if entry is None:
            return data
        patched = bytearray(data)
        struct.pack_into(self.order + "H", patched, entry.field, 1)
        return bytes(patched)


def read_directory(data: bytes) -> Directory:
    """Errors: struct.error or OverflowError if the file ends in it, BrokenImage if it is absurd."""
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"\x2b\x00", b"\x00\x2b")
    (position,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
    (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, position)
    if not 1 <= count <= _MAX_ENTRIES:
        raise BrokenImage(f"the TIFF directory claims {count} entries")
    position += 8 if big else 2
    size, value_at = (20, 12) if big else (12, 8)
    entries: dict[int, _Entry] = {}
    for start in range(position, position + size * count, size):
        tag, kind, length = struct.unpack_from(order + ("HHQ" if big else "HHI"), data, start)
        struct.unpack_from(f"{size}x", data, start)  # the entry must be whole
        entries.setdefault(tag, _Entry(kind, length, start + value_at))
    return Directory(data, order, big, entries)
