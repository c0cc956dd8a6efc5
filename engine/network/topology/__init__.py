"""What hangs on what, and who reaches whom: records beside what the kernel has."""
