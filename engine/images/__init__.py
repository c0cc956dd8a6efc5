"""Images: references, registries, the content-addressed store, and the sources of images."""
