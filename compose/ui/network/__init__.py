"""Networks to look at: who is where, who reaches whom."""
