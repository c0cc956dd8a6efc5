"""Whole builds: config, stages, arguments and RUN (engine.md D6.6 to D6.14)."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from engine import BuildSpec, Problem, build_image
from engine.errors import BuildProblem, ImageProblem
from tests.engine.build.conftest import find_in, layer_tree
from tests.marks import needs_root

if TYPE_CHECKING:
    from engine import BuildEvent, Engine, Image
    from tests.engine.build.conftest import Workshop

pytestmark = [needs_root, pytest.mark.usefixtures("busybox")]


# Config


def test_metadata_instructions_make_the_config(workshop: Workshop) -> None:
    image = workshop.build(
        "FROM busybox\n"
        'ENV a=1 b="two words" PATH=/x:$PATH\n'
        "ENV c=$a-${b}\n"
        "LABEL k=$a l='$a'\n"
        "EXPOSE 80 53/udp 8000-8001\n"
        'VOLUME /data ["/odd"]\n'
        "USER app:staff\n"
        "WORKDIR /w\n"
        "STOPSIGNAL SIGQUIT\n"
        "HEALTHCHECK --interval=5s --retries=2 CMD wget -q x\n"
        'SHELL ["/bin/ash", "-c"]\n'
        "ENTRYPOINT serve $a\n"
        'CMD ["x", "y"]\n'
        "MAINTAINER someone\n",
        labels={"given": "yes"},
    )
    config = image.config
    path = "PATH=/x:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    assert config.env == (path, "a=1", "b=two words", "c=1-two words")
    assert config.labels == {"k": "1", "l": "$a", "given": "yes"}
    assert config.exposed_ports == ("53/udp", "80/tcp", "8000/tcp", "8001/tcp")
    assert config.user == "app:staff"
    assert config.working_dir == "/w"
    assert config.stop_signal == "SIGQUIT"
    assert config.entrypoint == ("/bin/ash", "-c", "serve $a")
    assert config.cmd == ("x", "y")
    assert config.healthcheck is not None
    assert config.healthcheck.test == ("CMD-SHELL", "wget -q x")
    assert (config.healthcheck.interval_s, config.healthcheck.retries) == (5.0, 2)


@pytest.mark.parametrize(
    ("text", "cmd"),
    [
        ('ENTRYPOINT ["e"]', None),
        ('CMD ["c"]\nENTRYPOINT ["e"]', ("c",)),
        ('ENTRYPOINT ["e"]\nCMD ["c"]', ("c",)),
        ("USER app", ("sh",)),
    ],
)
def test_an_entrypoint_clears_an_inherited_command(
    workshop: Workshop, text: str, cmd: tuple[str, ...] | None
) -> None:
    assert workshop.build(f"FROM busybox\n{text}").config.cmd == cmd


def test_values_are_those_from_before_the_instruction(workshop: Workshop) -> None:
    image = workshop.build("FROM scratch\nENV a=1\nENV a=2 b=$a\nENV c=$a")
    assert image.config.env[1:] == ("a=2", "b=1", "c=2")


def test_the_history_has_a_line_for_each_instruction(workshop: Workshop, engine: Engine) -> None:
    image = workshop.build(
        "FROM busybox\nARG v=1\nRUN echo $v > /f\nCMD sh\nRUN true\nCOPY <<x /\nx\n"
    )
    row = engine.db.execute("SELECT config FROM images WHERE id = ?", (image.id,)).fetchone()
    history = json.loads(row["config"])["history"]
    assert [(entry["created_by"], entry.get("empty_layer", False)) for entry in history] == [
        ("busybox-static", False),
        ("ARG v=1", True),
        ("RUN |1 v=1 /bin/sh -c echo $v > /f", False),
        ('CMD ["/bin/sh" "-c" "sh"]', True),
        ("RUN |1 v=1 /bin/sh -c true", True),
        ("COPY <<x /", False),
    ]
    assert len(image.chain_ids) == 3


def test_onbuild_runs_in_the_child_and_not_in_the_grandchild(workshop: Workshop) -> None:
    workshop.build("FROM busybox\nONBUILD ENV seen=yes\nONBUILD RUN touch /seen", tags=("parent",))
    child = workshop.build("FROM parent", tags=("child",))
    assert "seen=yes" in child.config.env
    assert layer_tree(child) == {"/seen": ""}
    assert child.config.on_build == ()
    assert len(workshop.build("FROM child").chain_ids) == len(child.chain_ids)


def test_a_trigger_may_take_files_of_a_stage_that_nothing_else_needs(workshop: Workshop) -> None:
    workshop.build("FROM busybox\nONBUILD COPY --from=made /made /", tags=("parent",))
    child = workshop.build("FROM busybox AS made\nRUN touch /made\nFROM parent")
    assert layer_tree(child) == {"/made": ""}


@pytest.mark.parametrize("value", ["SIGDEF", "0", "99", "TERM1"])
def test_a_signal_that_is_none_is_refused(workshop: Workshop, value: str) -> None:
    with pytest.raises(BuildProblem) as caught:
        workshop.build(f"FROM scratch\nSTOPSIGNAL {value}")
    assert (caught.value.code, caught.value.where) == ("invalid-signal", "dockerfile_inline:2:12")


@pytest.mark.parametrize("value", ["SIGTERM", "term", "15", "SIGRTMIN+3"])
def test_a_signal_has_a_name_or_a_number(workshop: Workshop, value: str) -> None:
    assert workshop.build(f"FROM scratch\nSTOPSIGNAL {value}").config.stop_signal == value


# Arguments


@pytest.mark.parametrize(
    ("text", "args", "said"),
    [
        ("FROM busybox\nARG a=1\nRUN echo $a", {}, "1"),
        ("FROM busybox\nARG a=1\nRUN echo $a", {"a": "2"}, "2"),
        ("FROM busybox\nARG a\nRUN echo x$a", {}, "x"),
        ("ARG a=1\nFROM busybox\nRUN echo x$a", {}, "x"),
        ("ARG a=1\nFROM busybox\nARG a\nRUN echo $a", {}, "1"),
        ("ARG a=1\nFROM busybox\nARG a=2\nRUN echo $a", {}, "2"),
        ("ARG a=1\nFROM busybox\nARG a=2\nRUN echo $a", {"a": "3"}, "3"),
        ("FROM busybox\nARG a=1\nENV a=2\nRUN echo $a", {"a": "3"}, "2"),
        ("FROM busybox\nENV a=2\nARG a=1\nRUN echo $a", {}, "1"),
        ("FROM busybox AS x\nARG a=1\nFROM x\nRUN echo $a", {}, "1"),
        ("FROM busybox AS x\nARG a=1\nFROM busybox\nRUN echo x$a", {}, "x"),
        ("FROM busybox\nRUN echo x$TARGETOS", {}, "x"),
        ("FROM busybox\nARG TARGETOS\nRUN echo $TARGETOS", {}, "linux"),
        ("FROM busybox\nRUN echo $http_proxy", {"http_proxy": "p"}, "p"),
    ],
)
def test_arguments_are_visible_where_they_were_declared(
    workshop: Workshop, text: str, args: dict[str, str], said: str
) -> None:
    image = workshop.build(text, args=args)
    assert workshop.output() == [said]
    assert not {"a=1", "a=3"} & set(image.config.env)


def test_the_base_may_be_an_argument(workshop: Workshop) -> None:
    workshop.build("ARG base=none\nFROM $base", args={"base": "busybox"})
    with pytest.raises(BuildProblem) as caught:
        workshop.build("ARG base\nFROM $base")
    assert (caught.value.code, caught.value.where) == ("no-base-name", "dockerfile_inline:2:6")


def test_arguments_nobody_asks_for_are_told(workshop: Workshop) -> None:
    workshop.build("FROM scratch\nLABEL a=b", args={"x": "1", "HTTP_PROXY": "p"})
    notes = [event.text for event in workshop.events if event.kind == "note"]
    assert "[Warning] One or more build-args [x] were not consumed" in notes


# Stages

STAGES = """
FROM busybox AS base
RUN echo base
FROM base AS one
RUN echo one > /one
FROM base AS two
RUN echo two > /two
FROM busybox AS unneeded
RUN exit 1
FROM scratch
COPY --from=one /one /
COPY --from=two /two /
"""


def test_a_stage_that_is_not_to_use_the_cache_has_a_name(workshop: Workshop) -> None:
    workshop.build("FROM scratch AS one", no_cache_stages=("ONE", "two"))
    told = [event.text for event in workshop.events if event.text.startswith("[Warning]")]
    assert told == ["[Warning] No stage is named two: the cache is used"]


def test_only_the_stages_that_the_target_needs_are_built(workshop: Workshop) -> None:
    workshop.build(STAGES)
    done = workshop.steps("done")
    assert "RUN exit 1" not in done
    assert done.count("RUN echo base") == 1


@pytest.mark.parametrize("target", ["one", "ONE", "1"])
def test_a_target_is_a_name_or_a_number(workshop: Workshop, target: str) -> None:
    image = workshop.build(STAGES, target=target)
    assert find_in(image, "/one") is not None
    assert "RUN echo two > /two" not in workshop.steps("started")


def test_a_name_that_is_none_is_refused_before_anything_is_run(workshop: Workshop) -> None:
    with pytest.raises(ImageProblem, match="lower case"):
        workshop.build("FROM busybox\nRUN true", tags=("Wrong/Name",))
    assert workshop.steps("done") == []


def test_a_target_that_is_not_there_gets_a_suggestion(workshop: Workshop) -> None:
    with pytest.raises(BuildProblem) as caught:
        workshop.build(STAGES, target="onee")
    assert (caught.value.code, caught.value.hint) == ("no-such-stage", "did you mean `one`?")


def test_independent_stages_run_at_once(workshop: Workshop) -> None:
    """Each waits for a file of the other, through a cache mount that both have."""
    mount = "--mount=type=cache,id=meet,target=/meet"
    wait = "touch /meet/{mine}; n=0; until [ -e /meet/{other} ]; do sleep 0.1; n=$((n+1)); "
    wait += "[ $n -lt 600 ] || exit 1; done"
    one = wait.format(mine="a", other="b")
    two = wait.format(mine="b", other="a")
    workshop.build(
        f"FROM busybox AS one\nRUN {mount} {one}; touch /1\n"
        f"FROM busybox AS two\nRUN {mount} {two}; touch /2\n"
        "FROM scratch\nCOPY --from=one /1 /\nCOPY --from=two /2 /\n"
    )


def test_a_failing_stage_stops_the_others(workshop: Workshop, engine: Engine) -> None:
    with pytest.raises(BuildProblem) as caught:
        workshop.build(
            "FROM busybox AS one\nRUN sleep 60; touch /1\nFROM busybox AS two\nRUN exit 9\n"
            "FROM scratch\nCOPY --from=one /1 /\nCOPY --from=two /2 /\n"
        )
    assert "exit code: 9" in str(caught.value)
    assert engine.containers.list() == []


# RUN


def test_a_failed_command_shows_its_output_and_its_line(workshop: Workshop) -> None:
    with pytest.raises(BuildProblem) as caught:
        workshop.build("FROM busybox\nRUN echo out; echo err >&2; exit 7")
    problem = caught.value
    assert (problem.code, problem.where) == ("build-step-failed", "dockerfile_inline:2:1")
    assert str(problem) == (
        'process "/bin/sh -c echo out; echo err >&2; exit 7" did not complete successfully: '
        "exit code: 7"
    )
    rule, step, *said, end, place, _, before, line, _ = problem.excerpt.split("\n")
    assert step == " > [2/2] RUN echo out; echo err >&2; exit 7:"
    assert {text.partition(" ")[2] for text in said} == {"out", "err"}
    assert (rule, end, place) == ("------", "------", "dockerfile_inline:2")
    assert before == "   1 |     FROM busybox"
    assert line == "   2 | >>> RUN echo out; echo err >&2; exit 7"


@pytest.mark.parametrize("text", ["FROM busybox\nNONSENSE\n", "FROM busybox\nCOPY nothing /\n"])
def test_a_mistake_is_shown_where_it_is(workshop: Workshop, text: str) -> None:
    with pytest.raises(BuildProblem) as caught:
        workshop.build(text)
    assert caught.value.excerpt.split("\n")[3].startswith("   2 | >>> ")


def test_a_command_that_is_not_there_is_a_problem_of_its_line(workshop: Workshop) -> None:
    with pytest.raises(Problem) as caught:
        workshop.build('FROM busybox\nRUN ["nothing-of-the-kind"]')
    assert caught.value.where == "dockerfile_inline:2:1"


def test_a_command_runs_as_the_stage_says(workshop: Workshop) -> None:
    workshop.build(
        "FROM busybox\nUSER app\nWORKDIR /w/v\nENV e=1\n"
        "RUN id -un; pwd; echo $e; hostname; stat -c %U /w/v /w"
    )
    assert workshop.output() == ["app", "/w/v", "1", "buildkitsandbox", "app", "app"]


def test_heredocs_are_scripts(workshop: Workshop) -> None:
    workshop.build(
        "FROM busybox\n"
        "RUN <<EOF\na=1\necho $a\nEOF\n"
        "RUN <<EOF\n#!/bin/busybox cat\nitself\nEOF\n"
        "RUN cat <<one - <<two\nignored\none\n2\ntwo\n"
    )
    assert workshop.output() == ["1", "#!/bin/busybox cat", "itself", "2"]


def test_a_layer_has_what_changed_and_no_mount_points(workshop: Workshop) -> None:
    image = workshop.build(
        "FROM busybox\n"
        "RUN --mount=type=cache,target=/made/for/cache --mount=type=tmpfs,target=/home/t "
        "echo x > /made/for/cache/f && rm -r /var && mkdir /new"
    )
    tree = layer_tree_names(image)
    assert tree == {"/new", "/var"}
    assert find_in(image, "/var") is None


def test_mount_points_behind_links_of_the_image_are_not_kept_either(workshop: Workshop) -> None:
    image = workshop.build(
        "FROM busybox\n"
        "RUN mkdir -p /usr/real && ln -s usr/real /link && ln -s ../far/away /usr/dangling\n"
        "RUN --mount=type=cache,target=/link/made/here --mount=type=tmpfs,target=/usr/dangling "
        "touch /usr/real/new"
    )
    assert layer_tree_names(image) == {"/usr", "/usr/real", "/usr/real/new"}


def test_a_command_that_changes_nothing_makes_no_layer(workshop: Workshop, busybox: Image) -> None:
    image = workshop.build("FROM busybox\nRUN cat /etc/hosts /etc/resolv.conf > /dev/null")
    assert image.chain_ids == busybox.chain_ids


def test_a_cache_mount_keeps_its_content_and_a_bind_mount_does_not(workshop: Workshop) -> None:
    workshop.write({"src/a": "a", "src/b.o": "b", ".dockerignore": "**/*.o"})
    mounts = (
        "--mount=type=cache,target=/c,sharing=locked,mode=0750,uid=1000 "
        "--mount=type=bind,source=src,target=/s,rw"
    )
    text = f"FROM busybox\nRUN {mounts} ls /s; touch /s/new; stat -c '%a %u' /c; ls /c; touch /c/$$"
    workshop.build(text)
    assert workshop.output() == ["a", "750 1000"]
    assert not (workshop.context / "src/new").exists()
    workshop.build(text, no_cache=True)
    assert len(workshop.output()) == 3


def test_a_bind_mount_may_be_a_file_of_another_stage(workshop: Workshop) -> None:
    workshop.build(
        "FROM busybox AS one\nRUN echo hello > /x\n"
        "FROM busybox\nRUN --mount=from=one,source=/x,target=/y cat /y; ! echo z > /y"
    )
    assert "hello" in workshop.output()


def test_a_directory_of_a_stage_is_bound_as_it_is(workshop: Workshop) -> None:
    """In place: its own mode is there, too, links begin at the stage's root, and nothing of it is
    copied."""
    workshop.build(
        "FROM busybox AS one\nRUN mkdir -m 1750 /d && echo hello > /d/x && chown -R 5 /d"
        " && ln -s /d /link\n"
        "FROM scratch AS two\nCOPY --from=busybox /bin /bin\nCOPY --from=busybox /etc /etc\n"
        "FROM busybox\nRUN --mount=from=one,source=/link,target=/m --mount=from=one,target=/all"
        " --mount=from=two,target=/two stat -c '%a %u' /m; cat /m/x /all/d/x;"
        " ls -d /two/bin/busybox; ! touch /m/y; ! touch /all/y"
    )
    shown = [line for line in workshop.output() if "Read-only" not in line]
    assert shown == ["1750 5", "hello", "hello", "/two/bin/busybox"]


def test_networks_are_a_bridge_none_or_the_hosts(workshop: Workshop) -> None:
    show = "ip -o -4 addr show | awk '{print $2}'"
    workshop.build(f"FROM busybox\nRUN {show}")
    assert workshop.output() == ["lo", "eth0"]
    workshop.build(f"FROM busybox\nRUN --network=none {show}")
    assert workshop.output() == ["lo"]
    workshop.build(f"FROM busybox\nRUN {show}", network="none")
    assert workshop.steps("cached") == [f"RUN {show}"]  # the same as --network=none
    assert workshop.engine.networks.list() == []  # the bridge has gone with the build


def test_extra_hosts_are_known(workshop: Workshop) -> None:
    workshop.build("FROM busybox\nRUN grep web /etc/hosts", extra_hosts=(("web", "10.1.2.3"),))
    assert workshop.output()[0].split() == ["10.1.2.3", "web"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("RUN --mount=type=secret true", "invalid-mount"),
        ("RUN --mount=type=secret,id=x,required true", "no-secret"),
        ("RUN --mount=type=secret,id=x,required=maybe true", "invalid-mount"),
        ("RUN --mount=type=ssh,required=true true", "no-ssh"),
        ("RUN --mount=type=cache,target=/x,from=$x true", "invalid-mount"),
        ("RUN --network=host true", "not-entitled"),
        ("RUN --security=insecure true", "not-entitled"),
        ("RUN --mount=type=odd,target=/x true", "invalid-mount"),
        ("RUN --mount=type=cache,target=/ true", "invalid-mount"),
        ("RUN --mount=type=cache true", "invalid-mount"),
        ("RUN --mount=type=tmpfs,target=/x,sharing=locked true", "invalid-mount"),
        ("RUN --mount=type=cache,target=/x,sharing=some true", "invalid-mount"),
        ("RUN --mount=type=cache,target=/x,mode=rwx true", "invalid-mount"),
        ("RUN --mount=type=cache,target=/x,uid=-1 true", "invalid-mount"),
        ("RUN --mount=type=cache,target=/x,gid=staff true", "invalid-mount"),
        ("RUN --mount=type=bind,source=gone,target=/x true", "copy-source"),
        ("COPY --from=busybox /gone /", "copy-source"),
        ("COPY --from=$x /a /", "from-variable"),
    ],
)
def test_what_is_not_done_is_refused_with_its_place(
    workshop: Workshop, text: str, code: str
) -> None:
    with pytest.raises(BuildProblem) as caught:
        workshop.build(f"FROM busybox\n{text}")
    assert caught.value.code == code
    assert caught.value.where is not None
    assert caught.value.where.startswith("dockerfile_inline:2:")


def test_a_cancelled_build_leaves_no_container(workshop: Workshop, engine: Engine) -> None:
    spec = BuildSpec(
        context=str(workshop.context), dockerfile_inline="FROM busybox\nRUN echo here; sleep 60"
    )

    async def cancel() -> None:
        written = asyncio.Event()

        def report(event: BuildEvent) -> None:
            if event.kind == "output":
                written.set()

        task = asyncio.create_task(build_image(engine, spec, report))
        waiting = asyncio.create_task(written.wait())
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        engine.containers.close()

    asyncio.run(cancel())
    assert engine.containers.list() == []


def layer_tree_names(image: Image) -> set[str]:
    """Paths of the topmost layer, whiteouts among them."""
    from pathlib import Path

    top = Path(image.lowers[0])
    return {f"/{path.relative_to(top)}" for path in top.rglob("*")}


def test_checks_may_end_a_build_before_it_begins(workshop: Workshop) -> None:
    text = "FROM busybox\nRUN echo made\nCMD x"
    workshop.build(text)
    assert any(event.text.startswith("JSONArgsRecommended: ") for event in workshop.events)
    with pytest.raises(BuildProblem) as caught:
        workshop.build(f"# check=error=true\n{text}")
    assert (caught.value.code, caught.value.where) == ("build-checks", "dockerfile_inline:4:1")
    assert workshop.output() == []
