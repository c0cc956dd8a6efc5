FROM busybox
RUN ln -s /nowhere /dangling
COPY a.txt /dangling/made
