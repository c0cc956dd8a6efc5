FROM scratch
COPY logs/one.log /x
