FROM busybox AS one
RUN mkdir /made && echo made > /made/file && chown app:staff /made/file && ln -s file /made/link
FROM busybox AS two
RUN echo two > /two
FROM scratch
COPY --from=one /made /made
COPY --from=1 two /second
COPY --from=busybox /etc/passwd /etc/
COPY --from=one --chown=3:4 /made/f* /owned/
