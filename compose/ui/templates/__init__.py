"""`--format` as Docker's commands take it: what there is of Go's text/template."""
