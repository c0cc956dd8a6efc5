FROM busybox
COPY ../../a.txt /clipped
