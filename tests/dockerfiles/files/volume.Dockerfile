FROM busybox
RUN mkdir -p /v/inside && echo before > /v/file
VOLUME /v "/with quotes"
VOLUME ["/json one", "/j2"]
