FROM busybox
COPY --chown=app a.txt /user
COPY --chown=app:staff dir /both
COPY --chown=7 a.txt /number
COPY --chown=7:8 a.txt /new/dir/numbers
