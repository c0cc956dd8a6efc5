FROM busybox
HEALTHCHECK --interval=1m30s --timeout=3s --start-period=500ms --retries=4 CMD ["test", "-e", "/x"]
