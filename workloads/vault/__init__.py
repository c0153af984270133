"""The vault of notes: exact snapshots, the way back, and the proof that it works."""
