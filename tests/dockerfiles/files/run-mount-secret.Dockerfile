# build: --secret id=known,src=SECRET
FROM busybox
RUN --mount=type=secret,id=known cat /run/secrets/known > /one; stat -c '%a %u %g' /run/secrets/known > /mode
RUN --mount=type=secret,id=known,target=/at,mode=444,uid=3,gid=4 stat -c '%a %u %g' /at > /other
RUN --mount=type=secret,id=unknown cat /run/secrets/unknown || echo none > /two
