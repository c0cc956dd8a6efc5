FROM busybox
ENV v=value
COPY <<one <<"two" /x/
content $v
one
content $v
two
COPY --chmod=700 --chown=5:6 <<-script /bin/script
	#!/bin/sh
	echo
	script
COPY <<json /x/json
{"it's": "$v", 'a': "\$v", b: "${v:+"c"}"}
json
ADD <<file /added
file
