FROM busybox
ENV set=value empty=
ENV a=${set-w} b=${empty-w} c=${unset-w} d=${set+w} e=${empty+w} f=${unset+w}
ENV g=${set:?needed} h=${set?needed}
