FROM busybox
HEALTHCHECK --start-interval=2s CMD true
