FROM busybox
ENV set=value empty=
ENV a=${set:-w} b=${empty:-w} c=${unset:-w} d=${set:+w} e=${empty:+w} f=${unset:+w}
ENV g=${set}/${unset}. h="${unset:-x y}" i=${unset:-$set} j=${unset:-${set}}
WORKDIR /$set/${unset:-default}
LABEL at=${set} $set=key
EXPOSE ${unset:-8080}
USER ${set:+app}
STOPSIGNAL ${unset:-SIGUSR1}
VOLUME /v/$set
