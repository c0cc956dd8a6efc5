FROM busybox
COPY --chown=7:staff a.txt /x
