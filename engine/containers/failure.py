"""What a monitor leaves of a failure of its own, a bug of ours: the traceback, and one line.

Imported when it has come to that: a monitor has no memory to spare for it before.
"""

from __future__ import annotations

import time
import traceback

LOG_NAME = "monitor.log"  # in the durable directory of the container


def note_failure(directory: str, error: BaseException) -> str:
    """Add the traceback to the container's monitor.log; what to tell of it in one line."""
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    path = f"{directory}/{LOG_NAME}"
    what = f"its monitor failed: {type(error).__name__}: {error}"
    try:
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"{at}\n{''.join(traceback.format_exception(error))}\n")
    except OSError:  # the container may have been removed by force
        return what
    return f"{what} ({path} has the traceback)"
