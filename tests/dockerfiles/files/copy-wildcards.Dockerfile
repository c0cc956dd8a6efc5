FROM scratch
COPY *.txt /x/
COPY d?r/* /y/
COPY [ab].txt /z/
COPY dir*/deep/d /w
