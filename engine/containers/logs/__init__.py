"""What a container writes, on its way to disk and back: one module per format."""
