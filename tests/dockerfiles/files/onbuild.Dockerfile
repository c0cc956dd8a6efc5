FROM busybox
ONBUILD RUN echo triggered > /triggered
ONBUILD COPY a.txt /triggered-copy
ONBUILD ENV triggered=yes
