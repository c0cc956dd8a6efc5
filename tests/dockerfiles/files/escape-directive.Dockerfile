# escape=`
FROM busybox
ENV path=C:\dir\file `
    two="`"q"
RUN echo one `
    && echo two > /out
