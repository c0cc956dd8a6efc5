"""Images from files: docker-archive, OCI layout, and bare root filesystems."""
