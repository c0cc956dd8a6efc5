"""The user grammar on passwd and group texts (engine.md A9.3)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.containers.users import MAX_ID, UnknownUser, find_user, read_file, resolve

if TYPE_CHECKING:
    from pathlib import Path

PASSWD = """\
root:x:0:0:root:/root:/bin/sh
app:x:1000:1000:app:/home/app:/bin/sh
app:x:7:7:the second of that name:/nowhere:/bin/sh
1234:x:5:5:a name that looks like a number:/five:/bin/sh
homeless:x:8:9
"""
GROUP = """\
root:x:0:
app:x:1000:
staff:x:50:root,app
audio:x:29:app
42:x:66:
none:x:69
more:x:70:homeless
"""


@pytest.mark.parametrize(
    ("text", "uid", "gid", "groups", "home"),
    [
        ("", 0, 0, [0, 50], "/root"),
        ("root", 0, 0, [0, 50], "/root"),
        ("0", 0, 0, [0, 50], "/root"),
        ("app", 1000, 1000, [1000, 50, 29], "/home/app"),
        ("1000", 1000, 1000, [1000, 50, 29], "/home/app"),
        ("app:", 1000, 1000, [1000, 50, 29], "/home/app"),
        ("app:staff", 1000, 50, [50], "/home/app"),
        ("app:0", 1000, 0, [0], "/home/app"),
        ("1000:1000", 1000, 1000, [1000], "/home/app"),
        ("1234", 1234, 0, [0], None),  # an id, not the name of uid 5 (CVE-2016-3697)
        ("1234:42", 1234, 42, [42], None),  # nor the name of gid 66
        ("4000", 4000, 0, [0], None),
        ("4000:5000", 4000, 5000, [5000], None),
        ("007", 7, 7, [7, 50, 29], "/nowhere"),
        ("homeless", 8, 9, [9, 70], None),
        (":staff", 0, 50, [50], "/root"),
        (str(MAX_ID), MAX_ID, 0, [0], None),
    ],
)
def test_who_a_user_is(text: str, uid: int, gid: int, groups: list[int], home: str | None) -> None:
    user = resolve(text, [], PASSWD, GROUP)
    assert (user.uid, user.gid, user.groups, user.home) == (uid, gid, groups, home)


@pytest.mark.parametrize(
    "text",
    [
        "nobody",
        "app:nogroup",
        "-1",
        "--1",
        "0:-1",
        str(MAX_ID + 1),
        f"0:{MAX_ID + 1}",
        str(2**32),  # CVE-2024-40635: it would come around to root
        "9" * 5000,
        "app:root:root",
    ],
)
def test_who_is_not_there_is_refused(text: str) -> None:
    with pytest.raises(UnknownUser):
        resolve(text, [], PASSWD, GROUP)


def test_additional_groups_are_names_or_any_number() -> None:
    assert resolve("app:staff", ["audio", "77"], PASSWD, GROUP).groups == [50, 29, 77]
    with pytest.raises(UnknownUser, match="nogroup"):
        resolve("app", ["nogroup"], PASSWD, GROUP)


@pytest.mark.parametrize(
    "line", ["nobody:x:4294967294:4294967294:::", "bad:x:-5:0:::", "x:x:y:z:::", ":::", "short"]
)
def test_a_bad_line_of_passwd_is_no_concern_of_other_users(line: str) -> None:
    assert resolve("1000", [], f"{line}\n{PASSWD}", GROUP).home == "/home/app"
    assert resolve("app", [], f"{line}\n{PASSWD}", GROUP).uid == 1000


@pytest.mark.parametrize("breaking", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\r"])
def test_only_newlines_end_a_line(breaking: str) -> None:
    passwd = f"app:x:1000:1000:{breaking}evil:x:0:0:::/home/app:/bin/sh\n"
    with pytest.raises(UnknownUser):
        resolve("evil", [], passwd, "")


def test_a_user_whose_id_is_out_of_range_is_refused() -> None:
    with pytest.raises(UnknownUser):
        resolve("evil", [], "evil:x:4294967296:0:::\n", "")
    with pytest.raises(UnknownUser):
        resolve("evil", [], "evil:x:5:4294967296:::\n", "")


TEXT = st.text(alphabet=st.sampled_from("ab01-:,+\n \u0660x"), max_size=40)


@given(text=TEXT, passwd=TEXT, group=TEXT)
def test_any_text_is_a_user_in_range_or_is_refused(text: str, passwd: str, group: str) -> None:
    try:
        user = resolve(text, [], passwd, group)
    except UnknownUser:
        return
    assert all(0 <= number <= MAX_ID for number in (user.uid, user.gid, *user.groups))
    assert user.gid in user.groups


@given(uid=st.integers(-(2**70), 2**70), gid=st.integers(-(2**70), 2**70))
def test_numbers_are_ids_and_nothing_else(uid: int, gid: int) -> None:
    valid = 0 <= uid <= MAX_ID and 0 <= gid <= MAX_ID
    try:
        user = resolve(f"{uid}:{gid}", [], PASSWD, GROUP)
    except UnknownUser:
        assert not valid
    else:
        assert valid
        assert (user.uid, user.gid, user.groups) == (uid, gid, [gid])


def test_files_that_are_not_plain_files_are_empty(tmp_path: Path) -> None:
    etc = tmp_path / "etc"
    etc.mkdir()
    os.mkfifo(etc / "passwd")
    (etc / "group").symlink_to("/dev/zero")
    assert read_file(f"{etc}/passwd") == ""
    assert read_file(f"{etc}/group") == ""
    assert read_file(f"{etc}/missing") == ""
    assert find_user("5:6", [], root=str(tmp_path)).uid == 5


def test_a_huge_file_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "passwd"
    path.touch()
    os.truncate(path, 10 << 30)
    assert len(read_file(str(path))) == 10 << 20
