# build: --build-arg SERVER
FROM busybox
ARG SERVER
ADD $SERVER/file.txt /x/
ADD --chown=5:6 $SERVER/file.txt /named
ADD $SERVER/a.tar.gz /not-unpacked/
