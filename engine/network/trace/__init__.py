"""What becomes of a packet from one place to another, hop by hop, by the evidence of a real one."""
