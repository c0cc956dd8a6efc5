FROM busybox
VOLUME /v
RUN mkdir -p /v && echo after > /v/file && echo beside > /beside
