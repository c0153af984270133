"""What a run is told in: one summary, shown on the terminal and as a page. Pure."""
