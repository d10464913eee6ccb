"""Small JSON files beside motions, as strangers wrote them: bounded, and every way of being none has one error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from motionunion.captions import read_text
from motionunion.errors import SourceFormatError


def read_json(path: Path, reason: str) -> Any:
    """What a JSON file of at most a mebibyte holds.

    Raises:
        SourceFormatError: with `reason` and the line where it is no JSON, is nested too deeply or holds numbers beyond
            bounds; `unreadable`; `not_utf8` and `too_large` as `motionunion.captions.read_text` does.
    """
    try:
        return json.loads(read_text(path))
    except OSError as error:
        raise SourceFormatError(path, f"cannot be read ({error.strerror or error})", reason="unreadable") from error
    except json.JSONDecodeError as error:
        raise SourceFormatError(path, f"is no JSON ({error.msg})", line=error.lineno, reason=reason) from error
    except (ValueError, RecursionError) as error:
        raise SourceFormatError(path, f"is no JSON that a data set has ({error})", reason=reason) from error
