"""Services that start from the definition of another one (compose-file.md 14)."""

from __future__ import annotations

import os.path
from typing import TYPE_CHECKING, NamedTuple

from compose.errors import (
    ExtendsCycle,
    FileMissing,
    InvalidValue,
    ProjectProblem,
    UnknownService,
    nearest,
)
from compose.source.documents import prepare, read_documents
from compose.source.merge import merge
from compose.source.remote import fetch, is_remote
from compose.source.tree import Map, Mark, settled

if TYPE_CHECKING:
    from compose.source.loaded import Loaded
    from compose.source.scope import Scope


MAX_CHAIN = 100  # services, each extending the next


class _Wish(NamedTuple):
    """What a service extends, the file it is in (None: the same), and where that is said."""

    service: str
    file: str | None
    mark: Mark


class _Place(NamedTuple):
    """A service of a file."""

    file: str  # absolute; empty for the document that is loaded
    service: str


class _Link(NamedTuple):
    """One step of a chain: `place` extends something, as `mark` says."""

    place: _Place
    mark: Mark


def extend(document: Map, earlier: Map, scope: Scope, loaded: Loaded) -> None:
    """Resolve the `extends` of all services of a document, in place.

    earlier   the documents before it, merged: where services are that the document does not have

    What cannot be extended is added to the problems, and its service marked as broken.
    """
    extending = _Extending(document, earlier, scope, loaded)
    for name in _services(document):
        extending.resolve(_Place("", name), ())


def _services(tree: Map) -> Map:
    services = tree.get("services")
    return services if isinstance(services, Map) else Map(tree.mark)


class _Extending:
    def __init__(self, document: Map, earlier: Map, scope: Scope, loaded: Loaded) -> None:
        self._trees: dict[str, Map | None] = {"": document}
        self._earlier, self._scope, self._loaded = _services(earlier), scope, loaded

    def resolve(self, place: _Place, chain: tuple[_Link, ...]) -> Map | None:
        """The service at a place, with all that it extends; None where there is none."""
        tree = self._trees[place.file]
        services = _services(tree) if tree is not None else None
        service = services.get(place.service) if services is not None else None
        if service is None and not place.file:
            service = self._earlier.get(place.service)
        if not isinstance(service, Map) or services is None:
            return None
        wish = _wish(service)
        if wish is None:
            return service
        base = self._base(place, wish, chain)
        service.drop("extends")
        if base is None:
            places = (place, *(link.place for link in chain))
            self._loaded.broken.update(one.service for one in places if not one.file)
        else:
            service = self._onto(place.service, base, service)
        services[place.service] = service
        return service

    def _base(self, place: _Place, wish: _Wish, chain: tuple[_Link, ...]) -> Map | None:
        """What a service extends. None, and a problem, where it cannot be had."""
        chain = (*chain, _Link(place, wish.mark))
        if len(chain) > MAX_CHAIN:
            what = f"more than {MAX_CHAIN} services extend each other in a row"
            raise InvalidValue(what, where=str(wish.mark))
        file = place.file
        if wish.file is not None:
            file = wish.file
            if not self._read(file, wish):
                return None
        target = _Place(file, wish.service)
        if any(link.place == target for link in chain):
            self._loaded.problems.append(_cycle(chain, target))
            return None
        base = self.resolve(target, chain)
        if base is None:
            self._loaded.problems.append(self._unknown(place, target, wish))
        return base

    def _onto(self, name: str, base: Map, service: Map) -> Map:
        """A service merged onto what it extends."""
        below, above = Map(base.mark), Map(service.mark)
        copied = settled(base)
        below.put(name, copied, base.mark)
        above.put(name, service, service.mark)
        whole, over = Map(base.mark), Map(service.mark)
        whole.put("services", below, base.mark)
        over.put("services", above, service.mark)
        self._loaded.problems += merge(whole, over)
        assert isinstance(copied, Map)
        return copied

    def _read(self, path: str, wish: _Wish) -> bool:
        """Read a file that services are taken from; False, and a problem, where that fails."""
        if path not in self._trees:
            self._trees[path] = None
            try:
                self._trees[path] = self._tree(path, wish)
            except ProjectProblem as problem:
                self._loaded.problems.append(problem)
        return self._trees[path] is not None

    def _tree(self, path: str, wish: _Wish) -> Map:
        shown = self._scope.shown(path)
        surroundings = self._scope.environment.surroundings
        if is_remote(path):
            path = fetch(path, self._scope.environment, str(wish.mark))
        if surroundings.read(path) is None:
            why = surroundings.failing(path)
            what = f"{shown}, which `{wish.service}` is to be taken from, {why}"
            raise FileMissing(what, where=str(wish.mark))
        documents = read_documents(path, surroundings)
        scope = self._scope.at(os.path.dirname(path))  # noqa: PTH120 - pathlib costs 17 ms
        tree = Map(documents[0].mark)
        for document in documents:
            prepare(document, scope, self._loaded)
            self._loaded.problems += merge(tree, document)
        if not isinstance(tree.get("services"), Map):
            raise InvalidValue(f"{shown} has no services that could be extended", where=shown)
        return tree

    def _unknown(self, place: _Place, target: _Place, wish: _Wish) -> UnknownService:
        tree = self._trees[target.file]
        known = set(_services(tree)) if tree is not None else set()
        inside = f" in {self._scope.shown(target.file)}" if target.file else ""
        what = f"service `{place.service}` extends `{target.service}`, which is not defined{inside}"
        hint = nearest(target.service, known - {place.service})
        return UnknownService(what, where=str(wish.mark), hint=hint)


def _wish(service: Map) -> _Wish | None:
    """What a service extends; None for nothing, and for what the schema will refuse."""
    value = service.get("extends")
    if isinstance(value, str):
        return _Wish(value, None, service.values_at["extends"])
    if not isinstance(value, Map) or value.keys() - {"service", "file"}:
        return None
    name, file = value.get("service"), value.get("file")
    if not isinstance(name, str) or not isinstance(file, str | None):
        return None
    return _Wish(name, file, value.values_at["service"])


def _cycle(chain: tuple[_Link, ...], target: _Place) -> ExtendsCycle:
    start = next(index for index, link in enumerate(chain) if link.place == target)
    links = chain[start:]
    names = [link.place.service for link in links]
    steps = zip(links, [*names[1:], target.service], strict=True)
    return ExtendsCycle(
        f"services extend each other in a circle: {' -> '.join([*names, target.service])}",
        where=str(links[0].mark),
        hint="; ".join(f"{link.place.service} extends {to} at {link.mark}" for link, to in steps),
    )
