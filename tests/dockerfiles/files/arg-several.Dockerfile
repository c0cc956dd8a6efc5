FROM busybox
ARG a=1 b="2 2" c
RUN echo "$a $b ${c-none}" > /out
