FROM busybox
RUN --mount=type=cache,target=/cache,id=peer-one echo kept > /cache/file
RUN --mount=type=cache,target=/cache,id=peer-one cat /cache/file > /of-cache
RUN --mount=type=cache,target=/own,uid=5,gid=6,mode=750 stat -c '%a %u %g' /own > /owner
