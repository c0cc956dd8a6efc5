FROM busybox
ENV e=1
ARG a=2
RUN env | sort | grep -v -e HOSTNAME -e ^PWD -e ^SHLVL > /out
RUN umask > /umask; pwd > /pwd; id > /id; tty > /tty; readlink /proc/self/fd/0 > /stdin; true
RUN ["sh", "-c", "echo json $e > /json"]
RUN ["/bin/sh", "-c", "exit 0"]
