FROM busybox
RUN mkdir /real && ln -s real /link && ln -s /nowhere /dangling
COPY link /file
COPY dirlink /dir
COPY links /links
COPY a.txt /link/through
COPY hard /hard
