FROM busybox
COPY a.txt /x
COPY b.txt /x
COPY dir /d
RUN rm -r /d/deep && echo mine > /d/c
COPY dir /d
COPY modes/exec.sh /d/c
