"""The `buoy` command."""


def main() -> int:
    """Entry point; replaced by the dispatcher."""
    return 0
