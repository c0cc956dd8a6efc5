"""Dockerfiles built by us and by Docker, beside each other (test_dockerfiles, __main__)."""
