FROM busybox
ENV x=${nothing:?must be set}
