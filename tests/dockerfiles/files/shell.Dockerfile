FROM busybox
SHELL ["/bin/sh", "-e", "-c"]
RUN false || echo fine > /out
SHELL ["/bin/sh", "-c", "-x"]
CMD something
