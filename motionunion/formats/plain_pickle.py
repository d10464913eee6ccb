"""Pickles of plain data, read without running anything: arrays, sparse matrices, text, numbers, containers.

A pickle is a program. This reader resolves a fixed handful of names and refuses every other, so that the program can
build data and nothing else. Older body models hold objects of the chumpy package; they are refused with the way out.
"""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from motionunion.errors import SourceFormatError

MAX_BYTES = 1 << 30
"""Largest file read: SMPL-X models take about 500 MB as a pickle."""

_SPARSE = ("csc_matrix", "csr_matrix", "coo_matrix")
_ONE_NAME = {
    "__builtin__": "builtins",
    "copy_reg": "copyreg",
    "numpy._core.multiarray": "numpy.core.multiarray",
    "numpy._core.numeric": "numpy.core.numeric",
}
"""Modules that were renamed between Python 2 and 3, or NumPy 1 and 2."""


def read_plain_pickle(path: Path) -> dict[str, Any]:
    """Read a pickled dictionary of arrays; byte-string keys become text.

    Raises:
        SourceFormatError: `pickled` where the file wants anything but plain data, `truncated` or `corrupt` where it
            cannot be read, `bad_format` where it holds no dictionary.
    """
    if path.stat().st_size > MAX_BYTES:
        raise SourceFormatError(path, f"has more than {MAX_BYTES:,} bytes", reason="too_large")
    try:
        value = _PlainUnpickler(path).load()
    except EOFError as error:
        raise SourceFormatError(path, f"ends too early ({error})", reason="truncated") from error
    except (pickle.UnpicklingError, ValueError, TypeError, KeyError, IndexError, AttributeError, MemoryError) as error:
        raise SourceFormatError(path, f"is not a readable pickle of plain data ({error})", reason="corrupt") from error
    if not isinstance(value, dict):
        raise SourceFormatError(path, f"holds a {type(value).__name__}, not a dictionary of arrays")
    return {key.decode("latin1") if isinstance(key, bytes) else str(key): item for key, item in value.items()}


class _PlainUnpickler(pickle.Unpickler):
    def __init__(self, path: Path) -> None:
        super().__init__(io.BytesIO(path.read_bytes()), encoding="latin1")
        self.path = path

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("scipy.sparse") and name in _SPARSE:
            import scipy.sparse

            return getattr(scipy.sparse, name)
        known = _KNOWN.get((_ONE_NAME.get(module, module), name))
        if known is None:
            self._refuse(module, name)
        return known

    def persistent_load(self, pid: Any) -> NoReturn:
        self._refuse("a persistent id", str(pid))

    def _refuse(self, module: str, name: str) -> NoReturn:
        cure = (
            "it was saved with chumpy objects; convert it once with the script that smplx ships "
            "(tools/clean_ch.py), or use the .npz release"
            if module.startswith("chumpy")
            else "only arrays, sparse matrices, numbers and text are read from a pickle"
        )
        raise SourceFormatError(self.path, f"asks for {module}.{name}: {cure}", reason="pickled")


def _empty_array(kind: type, shape: tuple[int, ...], code: bytes | str) -> np.ndarray[Any, Any]:
    """How NumPy begins an array in a pickle: always empty; the shape arrives later, together with its bytes."""
    if kind is not np.ndarray or tuple(shape) != (0,):
        raise pickle.UnpicklingError("an array that begins with a shape")
    return np.ndarray((0,), dtype="b")


def _array_of_bytes(data: Any, dtype: Any, shape: tuple[int, ...], order: str) -> np.ndarray[Any, Any]:
    """How NumPy writes an array since protocol 5: bytes first, so that a false shape cannot allocate."""
    if not isinstance(data, bytes | bytearray) or np.dtype(dtype).hasobject:
        raise pickle.UnpicklingError("an array without its bytes")
    return np.frombuffer(data, dtype=dtype).reshape(shape, order="F" if order == "F" else "C")


def _object_of_kind(kind: type, base: type, state: Any) -> Any:
    """How protocols 0 and 1 begin an object; sparse matrices are the only ones that are plain data."""
    if not kind.__module__.startswith("scipy.sparse") or base is not object or state is not None:
        raise pickle.UnpicklingError("an object that is no plain data")
    return object.__new__(kind)


def _scalar(dtype: np.dtype[Any], data: Any) -> Any:
    raw = data.encode("latin1") if isinstance(data, str) else data
    if dtype.hasobject or not isinstance(raw, bytes) or len(raw) != dtype.itemsize:
        raise pickle.UnpicklingError("a scalar that is no number")
    return np.frombuffer(raw, dtype=dtype)[0]


def _encode(text: str, encoding: str) -> bytes:
    """How Python 3 writes bytes for Python 2 readers."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"text in {encoding}")
    return text.encode("latin1")


_KNOWN: dict[tuple[str, str], Any] = {
    **{("builtins", kind.__name__): kind for kind in (dict, list, set, tuple, int, float, bool, complex, str, bytes)},
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _empty_array,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy.core.numeric", "_frombuffer"): _array_of_bytes,
    ("builtins", "object"): object,
    ("copyreg", "_reconstructor"): _object_of_kind,
    ("_codecs", "encode"): _encode,
    ("collections", "OrderedDict"): OrderedDict,
}
