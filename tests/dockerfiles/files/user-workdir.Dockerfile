FROM busybox
USER app
WORKDIR /home/app/made
RUN id -u > id; pwd > pwd; echo $HOME > home
USER 7:8
WORKDIR /tmp/numbers
RUN id > id
