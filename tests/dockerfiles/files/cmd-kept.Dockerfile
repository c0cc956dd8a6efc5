FROM busybox
CMD ["own"]
ENTRYPOINT /entry
