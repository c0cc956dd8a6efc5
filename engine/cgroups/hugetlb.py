"""The hugetlb controller: huge pages."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from engine.cgroups.controls import Controls


def limit(controls: Controls, pages: list[dict[str, Any]]) -> None:
    """Set for each `pageSize` ("2MB") its `limit` in bytes, for use and for reservation.

    Source: OCI runtime-spec config-linux "hugepageLimits"; kernel cgroup-v1/hugetlb.rst.
    """
    ending = "limit_in_bytes" if controls.version == 1 else "max"
    for one in pages:
        size = one["pageSize"]
        controls.put("hugepageLimits", one["limit"], f"hugetlb.{size}.{ending}")
        reserved = f"hugetlb.{size}.rsvd.{ending}"
        if controls.has(reserved):
            controls.put("hugepageLimits", one["limit"], reserved)
