FROM busybox
COPY nothing /x
