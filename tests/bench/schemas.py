"""Ask our schema and the specification's own about many documents, and compare what they say.

    python -m tests.bench.schemas [COUNT] [SEED]

COUNT documents (20,000 by default): a third made up from each schema, a third public files with
something changed. Prints the counts and every disagreement that is not on the list in
tests/schemas/agreement.py; exit code 1 where there is one.
"""

from __future__ import annotations

import random
import sys
import time
from typing import TYPE_CHECKING

from tests.schemas.agreement import Comparison, corpus, ours, theirs
from tests.schemas.documents import Documents

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str]) -> int:
    """Compare, and print what came of it."""
    count, seed = (int(argv[0]) if argv else 20_000), (int(argv[1]) if len(argv) > 1 else 1)
    chance, comparison, began_s = random.Random(seed), Comparison(), time.monotonic()
    sources = [Documents(one(), chance) for one in (ours, theirs)]
    files = [document for _, document in corpus()]
    for number in range(count):
        if number % 3 == 2:
            comparison.add(sources[0].changed(chance.choice(files)))
            continue
        source = sources[number % 3]
        document = source.made()
        comparison.add(source.changed(document) if chance.random() < 0.3 else document)
    for text in comparison.disagreements[:20]:
        print(text)
    print(
        f"{comparison.documents} documents in {time.monotonic() - began_s:.0f} s, seed {seed}: "
        f"{comparison.valid} valid by the specification, {comparison.stricter} of them refused by "
        f"ours on purpose; {len(comparison.disagreements)} disagreements"
    )
    return 1 if comparison.disagreements else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
