# build: --build-arg given=outside --build-arg both=outside
ARG base=busybox
ARG default=global
FROM $base AS one
ARG given
ARG both=default
ARG default
ARG unset
ENV both=${both}-env kept=$given-$default-$unset
RUN echo "$given $both $default ${unset-none}" > /one
FROM one
RUN echo "$given $both $default" > /two
ARG late=$given
RUN echo "$late" > /three
