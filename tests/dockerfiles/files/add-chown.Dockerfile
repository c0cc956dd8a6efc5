FROM busybox
ADD --chown=app archives/a.tar /unpacked/
