FROM busybox
# a comment
RUN echo one > /one && \
    # a comment inside
    echo two > /two && \
  	echo   three > /three
   RUN   echo  indented > /four
run echo lower > /five # not a comment
ENV trailing=x   
CMD echo a \
  b
