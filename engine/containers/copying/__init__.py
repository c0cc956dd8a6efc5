"""Files copied between a container and the host."""
