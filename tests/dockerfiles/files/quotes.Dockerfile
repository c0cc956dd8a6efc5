FROM busybox
ENV a='$b' b="x\"y" c=x\ y d="x\\y" e='x\y' f="a  b" g=a""b h=\a
LABEL "quoted key"=v 'single'="v" joined="a"'b'c
