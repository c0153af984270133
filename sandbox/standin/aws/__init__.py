"""The aws stand-in: the pulumi-aws 7.51 plugin for the twelve resource types that the project uses.

The one rule: answers that no run of the real plugin shows come from its documentation and source, and
tests/sandbox/standin/data/aws-calls.jsonl names the source of each answer. Left out: every other resource type.
"""

from sandbox.standin.aws.connection import AwsConnection
from sandbox.standin.aws.provider import AwsStandIn, aws_stand_in

__all__ = ["AwsConnection", "AwsStandIn", "aws_stand_in"]
