FROM busybox
CMD ['single', 'quotes']
