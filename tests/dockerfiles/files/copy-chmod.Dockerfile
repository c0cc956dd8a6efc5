FROM busybox
COPY --chmod=640 a.txt /file
COPY --chmod=0750 dir /dir
ADD --chmod=4711 a.txt /added
