FROM scratch
COPY dir /x
COPY dir/ /y/
COPY dir/deep/.. /z
COPY empty /empty/
COPY . /all
