FROM scratch
ADD --unpack=false archives/a.tar /x/
ADD --unpack archives/a.tar.gz /y/
