FROM busybox
COPY --chmod=u=rwX,go=rX modes /modes
COPY --chmod=a+x,o-r a.txt /file
