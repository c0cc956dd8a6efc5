# build: --build-arg HTTP_PROXY=http://proxy.invalid:1 --build-arg no_proxy=here
FROM busybox
RUN echo "$HTTP_PROXY $no_proxy" > /out
