"""The verbs of the `buoy` command: one module each, imported only when it is the one asked for.

A verb's module defines

HELP                        str, what `buoy VERB --help` says above the options
add_arguments(parser)       its options and arguments
run(args, context) -> int   the work; plain or `async`. Plain is faster: asyncio costs 45 ms

A verb with verbs of its own (`image ls`) makes sub-parsers in `add_arguments`. One that is a
command line of its own (`oci`) sets `READS_ITSELF`, and finds what follows it in `args.words`.
"""

from __future__ import annotations

# One line each, here rather than in the modules, so that `buoy --help` imports none of them.
VERBS = {
    "attach": "Connect to the input and output of a running container",
    "build": "Build the images of services that have `build`",
    "builder": "Look at the build cache (du), make it smaller (prune)",
    "commit": "Make an image of a container as it is",
    "config": "Check the project file and print what it comes to",
    "cp": "Copy files between containers and the host",
    "create": "Create containers, without starting them",
    "down": "Stop and remove containers and networks",
    "env": "Show the variables of a service and where they come from",
    "events": "Show what has become of containers",
    "exec": "Run a command in a running container",
    "export": "Write the root filesystem of a container as a tar",
    "graph": "Show services, what they need and what they use",
    "image": "Manage images: build, ls, pull, push, tag, rm, prune, load, save, import, ...",
    "images": "List the images that the containers use",
    "kill": "Send a signal to running containers",
    "login": "Log in to a registry",
    "logout": "Forget the login to a registry",
    "logs": "Show what the containers wrote",
    "ls": "List the projects of this host",
    "network": "Look at networks (ls, inspect, graph, trace), make, change and repair them",
    "oci": "Run OCI bundles: the command line of `buoy-oci`",
    "pause": "Freeze the processes of containers",
    "plan": "Show what `up` would do, and why",
    "port": "Show the host's address of a published port",
    "ps": "List containers",
    "pull": "Pull the images of services",
    "push": "Push the images of services that are built",
    "restart": "Restart containers",
    "resume": "Start again what a restart of the host has ended",
    "rm": "Remove stopped containers",
    "run": "Run a command in a container of its own",
    "scale": "Set the number of replicas of services",
    "start": "Start containers that exist",
    "stats": "Show what containers use",
    "stop": "Stop containers, and keep them",
    "system": "Show what takes space on the disk, and free it: df, prune",
    "top": "Show the processes of containers",
    "unpause": "Let paused containers go on",
    "up": "Create and start what is missing or differs, and show the logs",
    "version": "Show the version",
    "volume": "Manage volumes: ls, rm",
}
