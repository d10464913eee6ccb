"""Every error that a person can cause, in one tree.

    MotionUnionError            exit 4: refused or damaged input
    ├── SourceFormatError       a source file breaks its format
    ├── ClipError               a motion cannot be what it claims (non-finite, wrong unit, too short, ...)
    ├── StoreError              a store is missing, damaged, or not writable
    ├── RemoteError             an object server could not be reached, or refused (`motionunion.store.remote_errors`)
    ├── MissingInput            a step lacks what another command brings (captions, a split, a corpus, weights)
    ├── UsageError              exit 2: the call itself is wrong (unknown name, contradictory options)
    │   └── ConfigError         a configuration value or key is wrong
    └── MissingExtra            exit 2: an optional dependency is not installed

A message has three parts: where, what, what to do. Anything else that escapes is a bug of ours (exit 1).
"""

from __future__ import annotations

from pathlib import Path


class MotionUnionError(Exception):
    """Base of every error that names its own cause and cure."""

    exit_code = 4


class SourceFormatError(MotionUnionError):
    """A source file breaks its format.

    `reason` is a short stable word for tables (`truncated`, `pickled`, `not_utf8`, `header_lies`, ...).
    """

    def __init__(self, path: Path | str, problem: str, *, line: int | None = None, reason: str = "bad_format") -> None:
        where = f"{path}:{line}" if line is not None else str(path)
        super().__init__(f"{where}: {problem}")
        self.path, self.line, self.problem, self.reason = Path(path), line, problem, reason

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process borders on their way from a worker to the committer.
        return (_rebuild, (self.path, self.problem, self.line, self.reason))


def _rebuild(path: Path, problem: str, line: int | None, reason: str) -> SourceFormatError:
    return SourceFormatError(path, problem, line=line, reason=reason)


class ClipError(MotionUnionError):
    """A motion cannot be what it claims. `reason` is a short stable word for tables."""

    def __init__(self, problem: str, *, reason: str = "bad_motion") -> None:
        super().__init__(problem)
        self.problem, self.reason = problem, reason

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild_clip_error, (self.problem, self.reason))


def _rebuild_clip_error(problem: str, reason: str) -> ClipError:
    return ClipError(problem, reason=reason)


class StoreError(MotionUnionError):
    """A store is missing, damaged or not writable."""


class MissingInput(MotionUnionError):
    """A step lacks something that another command, or the user, brings."""


class UsageError(MotionUnionError):
    """The call itself is wrong."""

    exit_code = 2


class ConfigError(UsageError):
    """A configuration value or key is wrong."""


class MissingExtra(MotionUnionError):
    """An optional dependency is not installed."""

    exit_code = 2

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed, and this step needs it: pip install 'motionunion[{extra}]'")
        self.package, self.extra = package, extra

    def __reduce__(self) -> tuple[object, ...]:
        return (MissingExtra, (self.package, self.extra))
