FROM busybox AS base
ONBUILD RUN echo triggered > /triggered
ONBUILD COPY a.txt /copied
ONBUILD ENV triggered=yes
FROM base
RUN echo after > /after
