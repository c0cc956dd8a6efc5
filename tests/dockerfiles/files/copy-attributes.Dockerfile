FROM busybox
RUN mkdir -m 700 /private && touch /private/there
COPY modes /modes
COPY modes/exec.sh /x
COPY dir /private
COPY modes/owned /owned
