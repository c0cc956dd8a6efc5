# build: --build-arg REPOSITORY
FROM scratch
ARG REPOSITORY
ADD $REPOSITORY#v1 /tag
ADD $REPOSITORY#main:dir /dir
