FROM busybox
WORKDIR a
WORKDIR b/../c
WORKDIR ./d/
RUN pwd > /out
WORKDIR /
WORKDIR /tmp
