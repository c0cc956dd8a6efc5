"""What becomes of an image that `buoy image build` has built: where it goes, and what is told."""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING, Any

from compose.commands.build_values import parse_annotations, parse_output
from compose.commands.parsing import UsageProblem
from compose.commands.writing import output
from engine import parse_source
from engine.errors import Problem

if TYPE_CHECKING:
    import argparse

    from compose.commands.context import Context
    from engine import Image


class Outcome:
    """As the options say. Raises UsageProblem, and Problem `no-image-name`, before anything is
    built.

    names  that the image gets
    """

    def __init__(self, args: argparse.Namespace, context: Context) -> None:
        self._kind, self._destination, names = parse_output(args.output or "type=image")
        if args.push:
            if self._kind not in ("image", "registry"):
                raise UsageProblem(f"--push and --output {args.output} exclude each other")
            self._kind = "registry"
        self.names = [*args.tag, *names]
        self._annotations = parse_annotations(args.annotation)
        self._args, self._context = args, context
        if self._kind == "registry" and not self.names:
            raise Problem(
                "the image has no name that it could be pushed under",
                hint="give it one: -t registry.example.com/me/web:1",
                code="no-image-name",
            )

    async def put_out(self, image: Image) -> None:
        """Write and push it, then say what it is in the files that are asked for."""
        images = self._context.engine.images
        if self._annotations:
            await asyncio.to_thread(images.annotate, image.id, self._annotations)
        told = _metadata(image, self.names)
        if self._kind == "registry":
            told |= await self._push()
        else:
            await self._write(image)
        if self._args.iidfile:
            with output(self._args.iidfile) as file:
                file.write(image.id.encode())
        if self._args.metadata_file:
            with output(self._args.metadata_file) as file:
                file.write(json.dumps(told, indent=2).encode())

    async def _push(self) -> dict[str, Any]:
        """What the registry calls it now, for the metadata."""
        from compose.ui.layers import layer_report

        for name in self.names:
            with layer_report(self._context.console, "Preparing", quiet=self._args.quiet) as report:
                pushed = await self._context.engine.images.push_in_thread(name, report)
        described = {
            "mediaType": pushed.media_type,
            "digest": pushed.digest,
            "size": pushed.size_bytes,
        }
        return {"containerimage.descriptor": described, "containerimage.digest": pushed.digest}

    async def _write(self, image: Image) -> None:
        engine, destination = self._context.engine, self._destination
        if self._kind == "local":
            from engine import export_tree

            path = os.path.abspath(destination)  # noqa: PTH100, ASYNC240
            await export_tree(engine, image, path)
        elif self._kind == "tar":
            with output(destination) as file:
                engine.containers.export_layers(image.lowers, file)
        elif self._kind == "oci" or (self._kind == "docker" and destination):
            form = "oci" if self._kind == "oci" else "docker-archive"
            wanted = engine.images.select_to_save(self.names or [image.id])
            with output(destination) as file:
                engine.images.save(wanted, file, form)


def _metadata(image: Image, names: list[str]) -> dict[str, Any]:
    """By BuildKit's names. The digest of an image that is not pushed is its id, as with dockerd's
    own store."""
    told = {"containerimage.config.digest": image.id, "containerimage.digest": image.id}
    if names:
        told["image.name"] = ",".join(parse_source(name).name for name in names)
    return told
