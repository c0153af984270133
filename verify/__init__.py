"""The verification suite: facts read once from a live store, pure checks on them, pytest as the runner.

It imports neither pulumi_minio nor pulumi_aws: a read from the store itself always decides.
"""
