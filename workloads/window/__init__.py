"""The window in which each run of a workload writes to the NAS and to the store."""
