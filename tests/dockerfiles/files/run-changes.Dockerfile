FROM busybox
COPY dir /d
RUN rm -r /d/deep && rm /d/c && mkdir /d/c && echo new > /d/c/new
RUN rm -r /d && mkdir /d && echo again > /d/again
RUN chmod 4755 /d/again && chown 5:6 /d && ln /d/again /d/hard && mkfifo /d/fifo && ln -s x /d/sym
RUN rm /etc/group && rm -r /home && true
RUN true
