"""What a group has used, read from trees of plain files as the kernel writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.cgroups import stats
from engine.cgroups.hierarchy import V2

if TYPE_CHECKING:
    from pathlib import Path

V1_FILES = {
    "cpuacct.usage": "123456789\n",
    "cpu.stat": "nr_periods 10\nnr_throttled 4\nthrottled_time 5000\n",
    "memory.usage_in_bytes": "9000\n",
    "memory.stat": "cache 5\ninactive_file 7\ntotal_inactive_file 2000\n",
    "memory.limit_in_bytes": "65536\n",
    "pids.current": "3\n",
    "pids.max": "max\n",
    "blkio.throttle.io_service_bytes_recursive": (
        "254:0 Read 100\n254:0 Write 20\n254:0 Sync 7\n254:0 Total 120\n7:0 Read 5\nTotal 125\n"
    ),
}
V2_FILES = {
    "cpu.stat": "usage_usec 123456\nuser_usec 9\nnr_periods 10\nnr_throttled 4\nthrottled_usec 5\n",
    "memory.current": "9000\n",
    "memory.stat": "anon 5\ninactive_file 2000\n",
    "memory.max": "max\n",
    "pids.current": "3\n",
    "pids.max": "64\n",
    "io.stat": "254:0 rbytes=100 wbytes=20 rios=1 wios=1 dbytes=0 dios=0\n7:0 rbytes=5\n",
}


@pytest.fixture(params=[1, 2])
def group(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[int, dict[str, str]]:
    version: int = request.param
    for name, text in {1: V1_FILES, 2: V2_FILES}[version].items():
        (tmp_path / name).write_text(text)
    keys = ("cpu", "cpuacct", "memory", "pids", "blkio") if version == 1 else (V2,)
    return version, dict.fromkeys(keys, str(tmp_path))


def test_counters(group: tuple[int, dict[str, str]]) -> None:
    version, directories = group
    assert stats.cpu_ns(directories) == {1: 123_456_789, 2: 123_456_000}[version]
    assert stats.throttling(directories) == (10, 4, 5_000)
    assert stats.memory_bytes(directories) == 7_000
    assert stats.memory_limit_bytes(directories) == {1: 65_536, 2: None}[version]
    assert stats.pids(directories) == (3, {1: None, 2: 64}[version])
    assert stats.io_bytes(directories) == (105, 20)


def test_what_nobody_counts_is_none() -> None:
    assert stats.cpu_ns({}) is stats.memory_bytes({}) is stats.memory_limit_bytes({}) is None
    assert stats.pids({}) == (None, None)
    assert stats.io_bytes({}) == (0, 0)
    assert stats.throttling({}) == (0, 0, 0)
