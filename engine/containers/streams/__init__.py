"""What goes in and out of a container while it runs: its monitor's end, and that of a command."""
