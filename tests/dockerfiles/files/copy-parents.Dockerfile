FROM scratch
COPY --parents dir/deep/d a.txt /x/
COPY --parents dir/./deep/* /y
COPY --parents **/d /z/
