"""`python -m tests.dockerfiles [CASE...]`: what each builder makes of each Dockerfile, a table."""

from __future__ import annotations

import sys
import tomllib

from tests.dockerfiles.comparing import LIST, comparisons


def main(only: list[str]) -> int:
    """1 where something differs without a reason, or a reason is needed no more."""
    unexplained, needed = 0, set()
    for variant, found in comparisons(only):
        words = {entry.reason if entry else "NOT EXPLAINED" for _, entry in found}
        verdict = "same" if not found else f"{len(found)} different: {'; '.join(sorted(words))}"
        print(f"{variant:38} {verdict}", flush=True)  # noqa: T201
        for difference, entry in found:
            if entry is not None:
                needed.add(entry.reason)
            else:
                unexplained += 1
                print(f"    {difference}", flush=True)  # noqa: T201
    written = {table["reason"] for table in tomllib.loads(LIST.read_text())["difference"]}
    idle = [] if only else sorted(written - needed)
    for reason in idle:
        print(f"not needed: {reason}")  # noqa: T201
    return 1 if unexplained or idle else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
