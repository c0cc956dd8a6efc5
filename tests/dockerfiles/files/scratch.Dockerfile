FROM scratch
COPY a.txt /
ENV x=1
CMD ["/a.txt"]
