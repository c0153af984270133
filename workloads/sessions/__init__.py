"""The transcripts of the agents: archived daily, counted, restored, and on request removed from this machine."""
