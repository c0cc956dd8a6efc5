"""Strings where a number or a boolean is meant (compose-file.md 4.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.errors import InvalidValue
from compose.source.paths import PathTable, below, each
from compose.source.tree import Map, Mark, Path, Seq, Value, dotted
from compose.source.values import parse_boolean, whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from compose.errors import ProjectProblem


def _integer(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        raise ValueError(f"`{text}` is not a whole number") from None


def _number(text: str) -> float:
    try:
        return whole(float(text))
    except ValueError:
        raise ValueError(f"`{text}` is not a number") from None


_SERVICE = "services.*"
_DEPLOY = "services.*.deploy"
INTEGERS = [
    *below(_SERVICE, "cpu_count cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares"),
    *below(_SERVICE, "oom_score_adj pids_limit scale mem_swappiness healthcheck.retries"),
    *below(_SERVICE, "ports.[].target"),
    *below(_SERVICE, "ulimits.* ulimits.*.soft ulimits.*.hard"),
    *below(f"{_SERVICE}.build", "ulimits.* ulimits.*.soft ulimits.*.hard"),
    *below(_DEPLOY, "replicas update_config.parallelism rollback_config.parallelism"),
    *below(_DEPLOY, "restart_policy.max_attempts placement.max_replicas_per_node"),
    *below(_DEPLOY, "resources.limits.pids"),
]
NUMBERS = [
    *below(_SERVICE, "cpu_percent cpus"),
    *below(_DEPLOY, "update_config.max_failure_ratio rollback_config.max_failure_ratio"),
    *below(_DEPLOY, "resources.limits.cpus resources.reservations.cpus"),
]
BOOLEANS = [
    *below(_SERVICE, "attach init oom_kill_disable privileged read_only stdin_open tty"),
    *below(_SERVICE, "depends_on.*.required depends_on.*.restart healthcheck.disable"),
    *below(_SERVICE, "volumes.[].read_only volumes.[].volume.nocopy env_file.[].required"),
    *below(_SERVICE, "volumes.[].bind.create_host_path build.no_cache build.pull"),
    *below(_SERVICE, "build.privileged"),
    *below("networks.*", "external internal attachable enable_ipv4 enable_ipv6"),
    *("volumes.*.external", "secrets.*.external", "configs.*.external"),
]
_CASTS: PathTable[Callable[[str], Value]] = PathTable(
    {**each(INTEGERS, _integer), **each(NUMBERS, _number), **each(BOOLEANS, parse_boolean)}
)


def cast(tree: Map, notices: list[tuple[str, str, str]]) -> list[ProjectProblem]:
    """Turn strings at typed positions of `tree` into their values, in place.

    notices   told of words that YAML 1.1 took for booleans: (code, sentence, position)

    Strings with a `$` are left alone: they are variables that could not be resolved.
    """
    problems: list[ProjectProblem] = []

    def visit(value: Value, mark: Mark, path: Path) -> Value:
        if isinstance(value, Map):
            for key, inner in value.items():
                value[key] = visit(inner, value.values_at[key], (*path, key))
        elif isinstance(value, Seq):
            for index, (inner, at) in enumerate(list(value.items())):
                value[index] = visit(inner, at, (*path, index))
        elif isinstance(value, str) and "$" not in value and (convert := _CASTS.find(path)):
            try:
                result = convert(value)
            except ValueError as error:
                problems.append(InvalidValue(f"{dotted(path)}: {error}", where=str(mark)))
                return value
            if isinstance(result, bool) and value not in ("true", "false"):
                word = str(result).lower()
                text = f"{dotted(path)}: `{value}` is read as `{word}`: better write that"
                notices.append(("boolean-word", text, str(mark)))
            return result
        return value

    visit(tree, tree.mark, ())
    return problems
