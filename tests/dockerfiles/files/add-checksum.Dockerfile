# build: --build-arg SERVER
FROM scratch
ARG SERVER
ADD --checksum=sha256:82ae163d9207a0cfb51c81d976824e8068e29576e180fbe311194eb8fb530cd3 $SERVER/file.txt /x/
