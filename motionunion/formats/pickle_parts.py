"""The few names that pickles of plain data use, what they build, and the check that what was built is plain.

Arrays and sparse matrices come as NumPy and SciPy write them in all protocols and versions: begun empty, and given their
bytes by a state, or (protocol 5) made of bytes at once. Each is checked against its bytes before memory is taken.
"""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np

MAX_DEPTH = 64
"""Containers inside containers. The pickles of the field have four or five."""
MAX_UNFOLDED = 20_000_000
"""Values counted as often as they are reached: a list held ten times by a list held ten times by a list ... takes a few
bytes, and forever to walk through."""
_MAX_DENSE = 1 << 26

_SPARSE = ("csc_matrix", "csr_matrix", "coo_matrix")
_RENAMED = {
    "__builtin__": "builtins",
    "copy_reg": "copyreg",
    "numpy._core.multiarray": "numpy.core.multiarray",
    "numpy._core.numeric": "numpy.core.numeric",
}
"""Modules that were renamed between Python 2 and 3, or NumPy 1 and 2."""
_KNOWN = {
    *(("builtins", name) for name in ("dict", "list", "set", "frozenset", "tuple", "int", "float", "bool", "complex")),
    *(("builtins", name) for name in ("str", "unicode", "bytes", "bytearray", "long", "object")),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy.core.numeric", "_frombuffer"),
    ("copyreg", "_reconstructor"),
    ("_codecs", "encode"),
    ("collections", "OrderedDict"),
}
_DTYPE = re.compile(r"[<>|=]?(b1|[iu][1248]|f(2|4|8|16)|c(8|16|32)|O8?|[SU]\d{0,6}|\?)")
_PLAIN = (str, bytes, bytearray, int, float, complex, bool, type(None), np.generic)
_KEYS = (str, bytes, int, float, bool, type(None), np.number, np.bool_)


class NotPlain(Exception):
    """A pickle wants something else than plain data. `module` is where it wants a name from, if it does."""

    def __init__(self, problem: str, module: str = "") -> None:
        super().__init__(problem)
        self.problem, self.module = problem, module


@dataclass(frozen=True, slots=True)
class Name:
    """A known name. It is never looked up: what it does is written here."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(slots=True, eq=False)
class ElementType:
    """A dtype in the making: begun by its code, given its byte order by a state."""

    dtype: np.dtype[Any]


@dataclass(slots=True, eq=False)
class Array:
    """An array in the making: of numbers or text in `value`, of objects in `objects`."""

    value: np.ndarray[Any, Any] | None = None
    objects: list[Any] | None = None
    shape: tuple[int, ...] = ()
    fortran: bool = False


@dataclass(slots=True, eq=False)
class Sparse:
    """A sparse matrix in the making."""

    kind: str
    value: Any = None


def named(module: str, name: str) -> Name:
    """A name that a pickle asks for. Raises `NotPlain` for all but a handful."""
    family = _RENAMED.get(module, module)
    if (family == "scipy.sparse" or family.startswith("scipy.sparse.")) and name in _SPARSE:
        return Name("scipy.sparse", name)
    if (family, name) not in _KNOWN:
        raise NotPlain(f"asks for {module[:80]}.{name[:80]}", module)
    return Name(family, name)


def is_key(value: Any) -> bool:
    """Whether a value may be a dictionary's key: flat, so that hashing it takes no time that a pickle could choose."""
    return isinstance(value, _KEYS) or (isinstance(value, tuple) and all(isinstance(part, _KEYS) for part in value))


def called(function: Name, arguments: tuple[Any, ...], *, new: bool) -> Any:
    """What a call gives; `new` where it is `cls.__new__`. Raises `NotPlain` for arguments that plain data does not have."""
    if function.module == "scipy.sparse" and new and not arguments:
        return Sparse(function.name)
    if new:
        raise NotPlain(f"makes a new {function}")
    match function.name, arguments:
        case "_reconstruct", (Name(name="ndarray"), (0,), bytes() | str()):
            return Array()
        case "_frombuffer", (bytes() | bytearray() as data, ElementType() as kind, tuple() as shape, str() as order):
            return Array(_filled(data, kind.dtype, shape, fortran=order == "F"))
        case "scalar", (ElementType() as kind, bytes() | str() as data):
            return _filled(_bytes(data), kind.dtype, (), fortran=False)[()]
        case "dtype", (str() | bytes() as code, *_):
            return ElementType(_dtype(code if isinstance(code, str) else code.decode("latin1")))
        case "_reconstructor", (Name(module="scipy.sparse") as kind, Name(name="object"), None):
            return Sparse(kind.name)
        case "encode", (str() as text, "latin1" | "latin-1"):
            return text.encode("latin1")
        case "bytearray", (str() as text, "latin1" | "latin-1"):
            return bytearray(text, "latin1")
        case "bytearray", (bytes() as data,):
            return bytearray(data)
        case "complex", (float() | int() as real, float() | int() as imaginary):
            return complex(real, imaginary)
        case "set" | "frozenset" as kind, (list() as values,) if all(is_key(value) for value in values):
            return set(values) if kind == "set" else frozenset(values)
        case "OrderedDict", ([*pairs],) if all(
            isinstance(one, list | tuple) and len(one) == 2 and is_key(one[0]) for one in pairs
        ):
            return OrderedDict((key, value) for key, value in pairs)
        case name, () if name in _EMPTY:
            return _EMPTY[name]()
    raise NotPlain(f"calls {function} in a way that plain data does not")


_EMPTY: dict[str, Any] = {
    "dict": dict, "list": list, "set": set, "frozenset": frozenset, "tuple": tuple, "str": str, "unicode": str,
    "bytes": bytes, "bytearray": bytearray, "OrderedDict": OrderedDict,
}  # fmt: skip


def built(target: Any, state: Any) -> None:
    """Give an array, a sparse matrix or a dtype in the making its state. Raises `NotPlain` for everything else."""
    match target, state:
        case ElementType(), tuple():
            target.dtype = _stated(target.dtype, state)
        case Array(value=None, objects=None), (
            1,
            tuple() as shape,
            ElementType() as kind,
            bool() | 0 | 1 as fortran,
            values,
        ):
            if kind.dtype.hasobject:
                if not isinstance(values, list) or math.prod(_extents(shape)) != len(values):
                    raise NotPlain(f"has an array of objects of shape {shape} without its objects")
                target.objects, target.shape, target.fortran = values, shape, bool(fortran)
            elif isinstance(values, bytes | bytearray | str):
                target.value = _filled(_bytes(values), kind.dtype, shape, fortran=bool(fortran))
            else:
                raise NotPlain("gives an array of numbers something else than bytes")
        case Sparse(value=None), dict():
            target.value = _sparse(target.kind, state)
        case _:
            raise NotPlain(f"sets the state of a {type(target).__name__}")


def finished(value: Any) -> Any:
    """The value with arrays and matrices in the places where they were begun. Raises `NotPlain` where anything in it is not
    plain, lies too deep, holds itself, or unfolds into too much."""
    return _Finish().of(value)


class _Finish:
    """Walks over a value once, however often its parts are held."""

    def __init__(self) -> None:
        self._done: dict[int, tuple[Any, int]] = {}
        self._open: set[int] = set()
        self._kept: list[Any] = []

    def of(self, value: Any) -> Any:
        return self._walk(value, 0)[0]

    def _walk(self, value: Any, depth: int) -> tuple[Any, int]:
        """The finished value, and how many values it unfolds into."""
        if isinstance(value, _PLAIN):
            return value, 1
        if depth > MAX_DEPTH:
            raise NotPlain(f"holds containers more than {MAX_DEPTH} deep, or one that holds itself")
        known = self._done.get(id(value))
        if known is None:
            if id(value) in self._open:
                raise NotPlain("holds a container that holds itself")
            self._open.add(id(value))
            known = self._unfolded(value, depth)
            if known[1] > MAX_UNFOLDED:
                raise NotPlain(f"unfolds into more than {MAX_UNFOLDED:,} values")
            self._done[id(value)] = known
            self._kept.append(value)  # so that its id stays its own
        return known

    def _unfolded(self, value: Any, depth: int) -> tuple[Any, int]:
        if isinstance(value, Array | Sparse):
            return self._of_part(value, depth)
        count = 1
        if isinstance(value, list):
            for at, part in enumerate(value):
                value[at], more = self._walk(part, depth + 1)
                count += more
        elif isinstance(value, dict):
            for key, part in value.items():
                value[key], more = self._walk(part, depth + 1)
                count += more + 1
        elif isinstance(value, tuple):
            walked = [self._walk(part, depth + 1) for part in value]
            value, count = tuple(part for part, _ in walked), 1 + sum(more for _, more in walked)
        elif isinstance(value, set | frozenset):
            count += len(value)
        else:
            raise NotPlain(f"holds a {value if isinstance(value, Name) else type(value).__name__}")
        return value, count

    def _of_part(self, value: Array | Sparse, depth: int) -> tuple[Any, int]:
        if isinstance(value, Array) and value.objects is not None:
            walked = [self._walk(part, depth + 1) for part in value.objects]
            array = np.empty(len(walked), dtype=object)
            for at, (part, _) in enumerate(walked):
                array[at] = part
            count = 1 + sum(more for _, more in walked)
            return array.reshape(value.shape, order="F" if value.fortran else "C"), count
        if value.value is None:
            raise NotPlain("begins an array and never gives it its bytes")
        return value.value, 1


def _dtype(code: str) -> np.dtype[Any]:
    if not _DTYPE.fullmatch(code):
        raise NotPlain(f"has an array of elements {code[:40]!r}")
    return np.dtype(code)


def _stated(dtype: np.dtype[Any], state: tuple[Any, ...]) -> np.dtype[Any]:
    """A dtype with the byte order, and for text the width, of its state: (version, order, parts, names, fields, width, ...)."""
    if not 8 <= len(state) <= 9 or state[2:5] != (None, None, None) or state[1] not in ("<", ">", "|", "="):
        raise NotPlain("has an array of records")
    if isinstance(state[5], int) and state[5] > 0 and dtype.kind in "SU":
        width = state[5] // (4 if dtype.kind == "U" else 1)
        dtype = _dtype(f"{dtype.kind}{width}")
    return dtype.newbyteorder(state[1])


def _extents(shape: tuple[Any, ...]) -> tuple[int, ...]:
    if len(shape) > 32 or not all(type(extent) is int and 0 <= extent < 1 << 48 for extent in shape):
        raise NotPlain(f"has an array of an impossible shape {str(shape)[:80]}")
    return shape


def _filled(data: bytes | bytearray, dtype: np.dtype[Any], shape: tuple[Any, ...], *, fortran: bool) -> Any:
    """An array of bytes that are there: no shape can make it larger than they are."""
    count = math.prod(_extents(shape))
    if dtype.hasobject or count * dtype.itemsize != len(data):
        raise NotPlain(f"has an array of shape {shape} of {dtype}, but {len(data):,} bytes for it")
    if dtype.itemsize == 0:
        if count > MAX_UNFOLDED:
            raise NotPlain(f"has an array of {count:,} empty texts")
        return np.zeros(shape, dtype)
    flat = np.frombuffer(data, dtype)
    return flat.reshape(shape, order="F" if fortran else "C")


def _bytes(data: bytes | bytearray | str) -> bytes | bytearray:
    """Bytes; Python 2 wrote them as text, one letter a byte."""
    return data.encode("latin1") if isinstance(data, str) else data


def _sparse(kind: str, state: dict[Any, Any]) -> Any:
    import scipy.sparse

    parts = ("data", "row", "col") if kind == "coo_matrix" else ("data", "indices", "indptr")
    if kind == "coo_matrix" and "coords" in state and isinstance(state["coords"], tuple) and len(state["coords"]) == 2:
        state = {**state, "row": state["coords"][0], "col": state["coords"][1]}
    arrays = [_Finish().of(state.get(name)) for name in parts]
    shape = state.get("_shape")
    if not isinstance(shape, tuple) or len(shape) != 2 or math.prod(_extents(shape)) > _MAX_DENSE:
        raise NotPlain("has a sparse matrix of an impossible shape")
    if not all(isinstance(one, np.ndarray) and one.ndim == 1 and one.dtype.kind in "fiub" for one in arrays):
        raise NotPlain("has a sparse matrix without its arrays")
    data, first, second = arrays
    if kind == "coo_matrix":
        return scipy.sparse.coo_matrix((data, (first, second)), shape=shape)
    matrix = getattr(scipy.sparse, kind)((data, first, second), shape=shape)
    matrix.check_format(full_check=True)  # what SciPy's loops in C take on trust
    return matrix
