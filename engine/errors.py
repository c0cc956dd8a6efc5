"""What can go wrong in a way that a user can put right.

Problem                     printed as `error: <code>`, where, what, hint; never with a traceback
+-- NotRoot                 the engine was asked for something that needs root
+-- ContainerProblem        one container: not found, name taken, not running, start failed
+-- NetworkProblem          networks, addresses, ports
+-- ImageProblem            references, registries, layers
+-- BuildProblem            Dockerfiles and their steps
+-- VolumeProblem

Any other exception is a bug of ours and keeps its traceback.
"""

from __future__ import annotations


class Problem(Exception):
    """What a user can put right: printed as what, where, hint; never with a traceback.

    `code` is kebab-case and stable: it is what people search for. A subclass fixes it, or an
    instance is given its own. `excerpt` has lines to look at: of a file, of what was put out.
    """

    code = "problem"
    exit_code = 1
    excerpt = ""

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        hint: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(what)
        self.what, self.where, self.hint = what, where, hint
        if code is not None:
            self.code = code


class NotRoot(Problem):
    """The engine makes namespaces, mounts and firewall rules: it needs root."""

    code = "not-root"


class ContainerProblem(Problem):
    """A container is missing, in the wrong state, or could not start.

    setting  the limit that it is about, as in the OCI runtime specification: "memory.swap"
    """

    code = "container"
    setting = ""


class NetworkProblem(Problem):
    """A network, an address or a port."""

    code = "network"


class ImageProblem(Problem):
    """A reference, a registry, a layer."""

    code = "image"


class BuildProblem(Problem):
    """A Dockerfile, or one of its steps."""

    code = "build"


class VolumeProblem(Problem):
    """A named volume or the source of a mount."""

    code = "volume"
