FROM busybox
ENV path=/usr/local/lib/file.tar.gz
ENV a=${path#*/} b=${path##*/} c=${path%.*} d=${path%%.*} e=${path#/u?r}
ENV f=${path/l/L} g=${path//l/L} h=${path//\//_} i=${path/*local/X}
