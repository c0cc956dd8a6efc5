FROM busybox AS other
RUN mkdir /o && echo other > /o/file
FROM busybox
RUN --mount=target=/context cp /context/a.txt /copied; ! touch /context/new
RUN --mount=type=bind,source=dir,target=/m,rw echo x > /m/new && ls /m > /listed
RUN --mount=type=bind,from=other,source=/o/file,target=/file cat /file > /of-other
