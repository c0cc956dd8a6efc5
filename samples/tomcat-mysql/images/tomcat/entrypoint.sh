#!/bin/sh
# A mounted log directory belongs to whoever made it on the host; Tomcat runs as its own user.
set -eu
mkdir -p /var/log/tomcat10
chown tomcat: /var/log/tomcat10
exec setpriv --reuid=tomcat --regid=tomcat --init-groups --no-new-privs "$@"
