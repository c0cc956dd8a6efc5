FROM busybox
RUNN true
