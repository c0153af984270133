"""The programs that write to the store: what a workload of joelclaw runs in place of a move to the NAS.

The rule: every run is *collect, pack, read back, commit, receipt*, and only then is anything removed (`archive`). A
workload has the identity that the taxonomy gives it, and nothing more (`needs`).
"""
