"""The layers of one image on their way: as `docker pull` and `docker push` show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.ui.printable import printable
from compose.ui.transfers import Transfer, is_layer, is_over

if TYPE_CHECKING:
    from rich.table import Table

    from compose.ui.console import Console


class LayerLines:
    """One line for each layer when it is first heard of, and when it is there; also a Progress."""

    def __init__(self, console: Console, begun: str) -> None:
        self._console = console
        self._begun = begun  # what is said first: "Pulling fs layer"
        self._known: set[str] = set()

    def __enter__(self) -> LayerLines:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __call__(
        self, subject: str, text: str, done_bytes: int | None, total_bytes: int | None
    ) -> None:
        if done_bytes is None or is_over(text, done_bytes, total_bytes):
            self._line(subject, text)
        elif is_layer(subject) and subject not in self._known:
            self._line(subject, self._begun)
        self._known.add(subject)

    def _line(self, subject: str, text: str) -> None:
        self._console.status(_said(subject, text))


class SilentLayers(LayerLines):
    """Nothing at all."""

    def _line(self, subject: str, text: str) -> None:
        pass


class LiveLayers(LayerLines):
    """A row for each layer, drawn in place; what is said of the image stays above them."""

    def __init__(self, console: Console, begun: str) -> None:
        super().__init__(console, begun)
        from rich.console import Console as RichConsole
        from rich.live import Live

        self._layers: dict[str, Transfer] = {}
        coloured = console.coloured(console.status_stream)
        self._rich = RichConsole(
            file=console.status_stream, no_color=not coloured, force_terminal=True, highlight=False
        )
        self._live = Live(console=self._rich, get_renderable=self._render, refresh_per_second=10)

    def __enter__(self) -> LiveLayers:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def __call__(
        self, subject: str, text: str, done_bytes: int | None, total_bytes: int | None
    ) -> None:
        if done_bytes is None and subject not in self._layers:
            self._rich.print(_said(subject, text), markup=False, soft_wrap=True)
        elif is_layer(subject):
            layer = self._layers.setdefault(subject, Transfer())
            layer.update(printable(text), done_bytes, total_bytes)

    def _render(self) -> Table:
        from rich.progress_bar import ProgressBar
        from rich.table import Column, Table

        table = Table.grid("", "", Column(width=20), "", padding=(0, 1))
        for subject, layer in list(self._layers.items()):
            moving = not layer.is_over and layer.total_bytes and layer.done_bytes is not None
            bar = ProgressBar(layer.total_bytes, layer.done_bytes or 0, width=20) if moving else ""
            table.add_row(f"{subject}:", layer.text, bar, layer.amount if moving else "")
        return table


def _said(subject: str, text: str) -> str:
    return printable(f"{subject}: {text}" if is_layer(subject) else text)


def layer_report(console: Console, begun: str, *, quiet: bool) -> LayerLines:
    """The report that suits the console."""
    if quiet or console.progress in ("quiet", "none"):
        return SilentLayers(console, begun)
    return LiveLayers(console, begun) if console.live else LayerLines(console, begun)
