FROM busybox
ENV v=value
RUN <<EOF
echo $v > /one
cat > /two <<INNER
inner
INNER
EOF
RUN <<-'EOF'
	echo $v > /three
	EOF
RUN <<EOF
#!/bin/cat
not run
EOF
RUN cat <<a - <<b > /four
of a
a
of b
b
