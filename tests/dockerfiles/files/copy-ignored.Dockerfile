FROM scratch
COPY ignored* /x/
COPY logs /logs
