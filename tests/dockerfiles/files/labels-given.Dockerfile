# build: --label given=yes --label two=2
FROM busybox
LABEL given=no kept=1
