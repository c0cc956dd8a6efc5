"""The runtime specification that is followed: schema and texts of that version."""

SPECIFICATION = "1.2.1"
