"""The sandbox: an S3 and IAM server on this machine, and stand-ins for the two provider plugins.

With it, both stacks can be deployed and verified with nothing else installed. Everything in it is disposable. No module
outside this package may import it: production code does not know that a sandbox exists. It proves nothing about a real
AIStor or AWS beyond what the recorded facts say about them.
"""
