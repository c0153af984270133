"""The reports of a run: one summary, shown on the terminal and as an HTML page. Pure."""
