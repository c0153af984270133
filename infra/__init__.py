"""The Pulumi program and everything about declaring: taxonomy -> plan -> {aistor, aws} -> deployment.

Dependencies run one way, in that order; `taxonomy`, `plan` and `policies` import neither pulumi nor boto3.
"""
