"""The one primitive of the archives: collect, pack, read back, commit, and only then remove.

The rule: the commit object alone says what counts. It is put with `If-None-Match: *` after everything that it names was
read back; what no commit names is ignored by every reader. No key is ever put twice, and nothing here deletes in the
store, because append identities may not. No workload is known here.
"""
