FROM busybox
COPY --chown=:50 a.txt /group
