# build: --target second
FROM busybox AS first
RUN echo first > /first
FROM first AS second
RUN echo second > /second
FROM nothing-there/at-all:1 AS third
RUN never
