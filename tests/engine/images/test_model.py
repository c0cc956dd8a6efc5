"""Layers against a model: plain dictionaries, and the rules of the OCI specification as they read.

Symbolic links are leaves here; what is below one is in test_unpack and test_trees.
"""

from __future__ import annotations

import hashlib
import itertools
import tarfile
import tempfile
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.errors import ImageProblem
from engine.images.settle import settle
from engine.images.unpack import unpack
from tests.engine.images.tars import entry, file, tar
from tests.marks import needs_root
from tests.trees import merged_tree

pytestmark = needs_root

Name = tuple[str, ...]
Member = tuple[str, Name, Name]  # kind, where, and the target of a link
Seen = dict[str, tuple[str, str, str]]  # kind, content, and the least name of the same file
View = dict[Name, list[str]]  # the same list for the same file: [kind, content]

name = st.sampled_from(["a", "b", "c"])
path = st.lists(name, min_size=1, max_size=3).map(tuple)
link = path.map(lambda at: (*at[:-1], "link"))  # no parent has that name
kind = st.sampled_from(
    ["file", "file", "directory", "directory", "link", "fifo", "whiteout", "opaque"]
)
member = st.tuples(kind, path, path | link) | st.tuples(st.just("symlink"), link, path)
layers = st.lists(st.lists(member, max_size=7), min_size=1, max_size=3)


MISSING = "target of a hard link"  # unless a later member takes the link's place


class NotALayer(Exception):
    """It must be refused."""


class Model:
    """What a container sees after some layers: `view`. `own` is what the present layer made."""

    def __init__(self) -> None:
        self.view: View = {}
        self.lower: View = {}
        self.own: set[Name] = set()
        self.hidden: set[Name] = set()  # whiteouts of the present layer with nothing of it there
        self.fresh = itertools.count()

    def layer(self, members: list[Member]) -> None:
        self.lower, self.own, self.hidden = dict(self.view), set(), set()
        for member in members:
            getattr(self, member[0])(*member[1:])
        if any(node[1] == MISSING for node in self.view.values()):
            raise NotALayer

    def file(self, at: Name, _: Name) -> None:
        self._put(at, ["-", str(next(self.fresh))])

    def symlink(self, at: Name, target: Name) -> None:
        self._put(at, ["l", "/".join(target)])

    def fifo(self, at: Name, _: Name) -> None:
        self._put(at, ["p", ""])

    def directory(self, at: Name, _: Name) -> None:
        self._make_parents(at)
        self._make(at)

    def link(self, at: Name, target: Name) -> None:
        self._make_parents(at)
        if at == target:
            return
        if target in self.hidden:
            raise NotALayer
        if target in self.own:
            if self.view[target][0] == "d":
                raise NotALayer
            if below(target, at):
                raise NotALayer
            if self.view.get(at) is not self.view[target]:
                self._put(at, self.view[target])
            return
        found = self.lower.get(target, [""])
        self._put(at, list(found) if found[0] == "-" else ["-", MISSING])

    def whiteout(self, at: Name, _: Name) -> None:
        self._make_parents(at)
        if at not in self.own:
            self.hidden.add(at)
        self._hide(at)
        if at not in self.own:
            self.view.pop(at, None)

    def opaque(self, at: Name, _: Name) -> None:
        self._make_parents((*at, ".wh..wh..opq"))
        self._hide(at)

    def _hide(self, at: Name) -> None:
        for place in [p for p in self.view if below(p, at) and p not in self.own]:
            del self.view[place]

    def _make_parents(self, at: Name) -> None:
        for depth in range(1, len(at)):
            parent = at[:depth]
            if parent in self.own and self.view[parent][0] != "d":
                raise NotALayer
            self._make(parent)

    def _make(self, at: Name) -> None:
        """A directory: over one that is there, or in the place of something else."""
        if self.view.get(at, [""])[0] != "d":
            self._remove(at)
            self.view[at] = ["d", ""]
        self.own.add(at)
        self.hidden.discard(at)

    def _put(self, at: Name, node: list[str]) -> None:
        self._make_parents(at)
        self._remove(at)
        self.view[at] = node
        self.own.add(at)
        self.hidden.discard(at)

    def _remove(self, at: Name) -> None:
        for place in [p for p in self.view if p == at or below(p, at)]:
            del self.view[place]
        self.own -= {p for p in self.own if p == at or below(p, at)}
        self.hidden -= {p for p in self.hidden if below(p, at)}


def below(place: Name, top: Name) -> bool:
    return len(place) > len(top) and place[: len(top)] == top


def tars(members: list[list[Member]]) -> list[bytes]:
    """The same as archives; the content of a file is its number among all."""
    fresh = itertools.count()
    return [tar(*(_member(member, fresh) for member in layer)) for layer in members]


def _member(
    member: Member, fresh: itertools.count[int]
) -> tarfile.TarInfo | tuple[tarfile.TarInfo, bytes]:
    what, at, target = member
    where, to = "/".join(at), "/".join(target)
    if what == "file":
        return file(where, str(next(fresh)))
    if what == "whiteout":
        return entry("/".join([*at[:-1], f".wh.{at[-1]}"]))
    if what == "opaque":
        return entry(f"{where}/.wh..wh..opq")
    kinds = {
        "directory": tarfile.DIRTYPE,
        "link": tarfile.LNKTYPE,
        "symlink": tarfile.SYMTYPE,
        "fifo": tarfile.FIFOTYPE,
    }
    return entry(where, kinds[what], linkname=to if "link" in what else "")


def unpacked(archives: list[bytes], place: Path) -> Seen:
    """What a container sees of them."""
    lowers: list[str] = []
    for number, archive in enumerate(archives):
        at = place / f"layer{number}"
        at.mkdir()
        settle(str(at), unpack(iter([archive]), str(at), "it"), lowers, "it")
        lowers.insert(0, str(at))
    return {
        found.decode(): (node.kind, node.content, node.first.decode())
        for found, node in merged_tree(lowers, place).items()
    }


def seen(view: View) -> Seen:
    """A model's view as `unpacked` has it."""
    first: dict[int, str] = {}
    for at in sorted(map("/".join, view)):
        first.setdefault(id(view[tuple(at.split("/"))]), at)
    return {"/".join(at): (node[0], _content(*node), first[id(node)]) for at, node in view.items()}


def _content(kind: str, content: str) -> str:
    if kind == "-":
        return hashlib.sha256(content.encode()).hexdigest()[:16]
    return repr(content.encode()) if kind == "l" else ""


@settings(max_examples=30, deadline=None)
@given(layers)
@example([[("file", ("a", "b"), ()), ("link", ("a",), ("a", "b"))]])
@example([[("link", ("a",), ("b",)), ("file", ("a",), ())]])  # a link to nothing, replaced
@example([[("file", ("a",), ())], [("link", ("b",), ("a",)), ("link", ("c",), ("b",))]])
@example([[("whiteout", ("a", "b"), ()), ("file", ("a", "c"), ())]])  # of nothing
def test_layers_are_what_the_model_says(members: list[list[Member]]) -> None:
    model, refused = Model(), False
    try:
        for layer in members:
            model.layer(layer)
    except NotALayer:
        refused = True
    with tempfile.TemporaryDirectory(dir="/var/tmp") as place:
        try:
            found = unpacked(tars(members), Path(place))
        except ImageProblem:
            assert refused
            return
    assert not refused
    assert found == seen(model.view)
