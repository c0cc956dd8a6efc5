"""All facts of the container that this runs in, as one line of JSON: {"name": "value"}.

Nothing but the standard library, and no name of any engine: the same program runs in both.
"""

from __future__ import annotations

import json
import sys

from tests.fingerprint.inside import calls, files, kernel, process


def main() -> None:
    """To standard output; it is the last line."""
    facts: dict[str, str] = {}
    for part in (process.facts, files.facts, kernel.facts, calls.facts):
        facts |= part()
    sys.stdout.write(json.dumps(facts) + "\n")
