FROM busybox
COPY --link a.txt /linked/
COPY --link --chown=5:6 dir /etc/dir
COPY --link --from=busybox /etc/group /linked/
