FROM busybox
LABEL one=1 two="two words" three='single $x'
ENV a=1 b="two words" PATH=/x:$PATH
EXPOSE 80 53/udp
VOLUME /data ["/odd"]
USER app:staff
WORKDIR /w
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=5s --retries=2 CMD wget -q x
SHELL ["/bin/ash", "-c"]
ENTRYPOINT serve $a
CMD ["x", "y"]
