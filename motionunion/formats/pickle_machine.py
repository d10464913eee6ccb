"""A machine for the pickle language that can build plain data and do nothing else.

Python's own machine calls whatever a pickle names, and believes the lengths in it. This one knows the opcodes that plain
data needs (pickletools.py of CPython lists all of them), takes lengths only as far as bytes are there, and hands each name,
call and state to `motionunion.formats.pickle_parts`, where a fixed handful is known. Nothing is imported or called by name.
"""

from __future__ import annotations

import codecs
import struct
from collections.abc import Callable
from typing import IO, Any

from motionunion.formats.pickle_parts import Name, NotPlain, built, called, finished, is_key, named

MAX_VALUES = 2_000_000
"""Values built, containers counting more. A file of nothing but empty sets would take two hundred times its size."""
_MAX_LINE = 1 << 16
"""Bytes of a line that is no text: numbers, names."""
_MAX_INTEGER_BYTES = 64


class _Mark:
    """Where a group of values on the stack begins."""


_MARK = _Mark()
_LENGTHS = {1: "<B", 2: "<H", 4: "<I", 8: "<Q"}


class PickleMachine:
    """Runs one pickle. Raises `NotPlain` for what is not plain data, `EOFError` where it ends too early, and `ValueError`,
    `struct.error` or `UnicodeError` where it is damaged."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        """`size` is how many bytes there are from where `file` stands: lengths in the pickle are held against it."""
        self._file, self._left = file, size
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._values = 0

    def run(self) -> Any:
        """The value that the pickle builds, checked to be plain data throughout."""
        while (code := self._take(1)) != b".":
            step = _STEPS.get(code)
            if step is None:
                raise NotPlain(f"uses the opcode {code!r}, which plain data does not need")
            step(self)
        value = self._pop()
        if self._stack:
            raise ValueError("values are left over at the end")
        return finished(value)

    def _take(self, count: int) -> bytes:
        if count > self._left:
            raise EOFError(f"{count:,} bytes are promised, {self._left:,} are left")
        data = self._file.read(count)
        if len(data) < count:
            raise EOFError("the file became shorter while it was read")
        self._left -= count
        return data

    def _line(self, most: int = _MAX_LINE) -> bytes:
        data = self._file.readline(min(self._left, most))
        self._left -= len(data)
        if not data.endswith(b"\n"):
            raise EOFError("a line does not end")
        return data[:-1]

    def _number(self, width: int) -> int:
        (value,) = struct.unpack(_LENGTHS[width], self._take(width))
        return int(value)

    def _counted(self, width: int) -> bytes:
        return self._take(self._number(width))

    def push(self, value: Any, weight: int = 1) -> None:
        self._values += weight
        if self._values > MAX_VALUES:
            raise NotPlain(f"builds more than {MAX_VALUES:,} values; numbers in bulk belong into arrays")
        self._stack.append(value)

    def _pop(self) -> Any:
        if not self._stack:
            raise ValueError("a value is missing on the stack")
        value = self._stack.pop()
        if value is _MARK:
            raise ValueError("a group of values begins where a value should be")
        return value

    def _top(self, kind: type | tuple[type, ...]) -> Any:
        if not self._stack or not isinstance(self._stack[-1], kind):
            raise ValueError("a container is missing on the stack")
        return self._stack[-1]

    def _group(self) -> list[Any]:
        """The values since the last mark."""
        for at in range(len(self._stack) - 1, -1, -1):
            if self._stack[at] is _MARK:
                group = self._stack[at + 1 :]
                del self._stack[at:]
                return group
        raise ValueError("a group of values without its beginning")

    def _mark(self) -> None:
        self.push(_MARK)

    def _pop_one(self) -> None:
        if not self._stack:
            raise ValueError("a value is missing on the stack")
        self._stack.pop()

    def _pop_group(self) -> None:
        self._group()

    def _frame(self) -> None:
        self._take(8)  # where readers that fetch ahead may stop; this one does not

    def _twice(self) -> None:
        value = self._pop()
        self._stack.append(value)
        self.push(value)

    def _tuple(self, count: int | None) -> None:
        if count is None:
            values = self._group()
        else:
            values = [self._pop() for _ in range(count)][::-1]
        self.push(tuple(values), 3)

    def _list(self) -> None:
        self.push(self._group(), 3)

    def _dict(self) -> None:
        group = self._group()
        self.push({}, 3)
        self._fill(group)

    def _fill(self, group: list[Any]) -> None:
        target = self._top(dict)
        if len(group) % 2:
            raise ValueError("a dictionary's key without its value")
        for key, value in zip(group[::2], group[1::2], strict=True):
            if not is_key(key):
                raise NotPlain(f"has a {type(key).__name__} as a dictionary's key")
            target[key] = value

    def _set_item(self) -> None:
        value, key = self._pop(), self._pop()
        self._fill([key, value])

    def _append(self) -> None:
        value = self._pop()
        self._top(list).append(value)

    def _append_all(self) -> None:
        group = self._group()
        self._top(list).extend(group)

    def _add_all(self) -> None:
        group = self._group()
        self._top(set).update(_members(group))

    def _frozen(self) -> None:
        self.push(frozenset(_members(self._group())), 8)

    def _integer_text(self) -> None:
        text = self._line()
        if text in (b"00", b"01"):
            self.push(text == b"01")
        else:
            self.push(_integer(text.removesuffix(b"L")))

    def _integer_bytes(self, width: int) -> None:
        count = self._number(width)
        if count > _MAX_INTEGER_BYTES:
            raise NotPlain(f"holds an integer of {count:,} bytes")
        self.push(int.from_bytes(self._take(count), "little", signed=True))

    def _quoted(self) -> None:
        line = self._line(self._left).strip()
        if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
            raise ValueError("text without quotes")
        self.push(codecs.escape_decode(line[1:-1])[0].decode("latin1"))

    def _text_line(self) -> None:
        self.push(str(self._line(self._left), "raw-unicode-escape"))

    def _text(self, width: int) -> None:
        self.push(str(self._counted(width), "utf-8", "surrogatepass"))

    def _old_text(self, width: int) -> None:
        self.push(self._counted(width).decode("latin1"))

    def _name(self) -> None:
        module, name = (str(self._line(), "utf-8") for _ in range(2))
        self.push(named(module, name))

    def _stacked_name(self) -> None:
        name, module = self._pop(), self._pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise ValueError("a name that is no text")
        self.push(named(module, name))

    def _call(self, new: bool) -> None:
        arguments, function = self._pop(), self._pop()
        if not isinstance(function, Name) or not isinstance(arguments, tuple):
            raise NotPlain(f"calls a {type(function).__name__}")
        self.push(called(function, arguments, new=new), 8)

    def _state(self) -> None:
        state = self._pop()
        if not self._stack:
            raise ValueError("a state without its object")
        built(self._stack[-1], state)

    def _remember(self, index: int) -> None:
        if not self._stack or self._stack[-1] is _MARK or index < 0:
            raise ValueError("nothing to remember")
        if len(self._memo) == MAX_VALUES and index not in self._memo:
            raise NotPlain(f"keeps more than {MAX_VALUES:,} values; numbers in bulk belong into arrays")
        self._memo[index] = self._stack[-1]

    def _recall(self, index: int) -> None:
        if index not in self._memo:
            raise ValueError(f"recalls value {index}, which it never kept")
        self.push(self._memo[index])

    def _outside(self) -> None:
        raise NotPlain("asks for a persistent id, which only the program that wrote it can give")

    def _protocol(self) -> None:
        if self._number(1) > 5:
            raise NotPlain("is written in a protocol that is not known")


def _members(group: list[Any]) -> list[Any]:
    if not all(is_key(value) for value in group):
        raise NotPlain("has a set of other things than numbers and text")
    return group


def _integer(text: bytes) -> int:
    if len(text) > 3 * _MAX_INTEGER_BYTES:
        raise NotPlain(f"holds an integer of {len(text):,} digits")
    return int(text)


def _signed(machine: PickleMachine) -> None:
    machine.push(struct.unpack("<i", machine._take(4))[0])


def _float_bytes(machine: PickleMachine) -> None:
    machine.push(struct.unpack(">d", machine._take(8))[0])


_STEPS: dict[bytes, Callable[[PickleMachine], None]] = {
    b"\x80": PickleMachine._protocol,
    b"\x95": PickleMachine._frame,
    b"(": PickleMachine._mark,
    b"0": PickleMachine._pop_one,
    b"1": PickleMachine._pop_group,
    b"2": PickleMachine._twice,
    b"N": lambda m: m.push(None),
    b"\x88": lambda m: m.push(True),
    b"\x89": lambda m: m.push(False),
    b"I": PickleMachine._integer_text,
    b"L": PickleMachine._integer_text,
    b"J": _signed,
    b"K": lambda m: m.push(m._number(1)),
    b"M": lambda m: m.push(m._number(2)),
    b"\x8a": lambda m: m._integer_bytes(1),
    b"\x8b": lambda m: m._integer_bytes(4),
    b"F": lambda m: m.push(float(m._line())),
    b"G": _float_bytes,
    b"S": PickleMachine._quoted,
    b"T": lambda m: m._old_text(4),
    b"U": lambda m: m._old_text(1),
    b"V": PickleMachine._text_line,
    b"X": lambda m: m._text(4),
    b"\x8c": lambda m: m._text(1),
    b"\x8d": lambda m: m._text(8),
    b"B": lambda m: m.push(m._counted(4)),
    b"C": lambda m: m.push(m._counted(1)),
    b"\x8e": lambda m: m.push(m._counted(8)),
    b"\x96": lambda m: m.push(bytearray(m._counted(8))),
    b"]": lambda m: m.push([], 3),
    b"a": PickleMachine._append,
    b"e": PickleMachine._append_all,
    b"l": PickleMachine._list,
    b")": lambda m: m.push(()),
    b"t": lambda m: m._tuple(None),
    b"\x85": lambda m: m._tuple(1),
    b"\x86": lambda m: m._tuple(2),
    b"\x87": lambda m: m._tuple(3),
    b"}": lambda m: m.push({}, 3),
    b"d": PickleMachine._dict,
    b"s": PickleMachine._set_item,
    b"u": lambda m: m._fill(m._group()),
    b"\x8f": lambda m: m.push(set(), 8),
    b"\x90": PickleMachine._add_all,
    b"\x91": PickleMachine._frozen,
    b"c": PickleMachine._name,
    b"\x93": PickleMachine._stacked_name,
    b"R": lambda m: m._call(new=False),
    b"\x81": lambda m: m._call(new=True),
    b"b": PickleMachine._state,
    b"p": lambda m: m._remember(_integer(m._line())),
    b"q": lambda m: m._remember(m._number(1)),
    b"r": lambda m: m._remember(m._number(4)),
    b"\x94": lambda m: m._remember(len(m._memo)),
    b"g": lambda m: m._recall(_integer(m._line())),
    b"h": lambda m: m._recall(m._number(1)),
    b"j": lambda m: m._recall(m._number(4)),
    b"P": PickleMachine._outside,
    b"Q": PickleMachine._outside,
}
"""Left out, since plain data needs none: INST, OBJ and NEWOBJ_EX (objects), EXT1 to EXT4 (a registry), NEXT_BUFFER and
READONLY_BUFFER (data outside of the file)."""
