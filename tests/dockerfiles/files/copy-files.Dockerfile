FROM busybox
COPY a.txt /new
COPY a.txt b.txt /dir/
COPY a.txt /made/on/the/way/
COPY a.txt /made/as/file
COPY a.txt /
WORKDIR /w
COPY a.txt .
COPY b.txt ./sub/x
COPY ["with blank.txt", "/blank dir/"]
