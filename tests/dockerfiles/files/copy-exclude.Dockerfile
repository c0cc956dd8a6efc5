FROM scratch
COPY --exclude=*.o --exclude=deep dir /x
COPY --exclude=**/d dir /y
