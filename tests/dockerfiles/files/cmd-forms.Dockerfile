FROM busybox
ENTRYPOINT ["/entry", "a b"]
CMD  [ "one" , "two" ]
