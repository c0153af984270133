"""What both stores have in common: their constructor's arguments and the credentials that they hand out.

The rule: a store realises a plan as it stands; it decides nothing that the plan should. It leaves out what a backend
cannot do, which `infra.deployment` states.
"""

from dataclasses import dataclass, field

import pulumi


@dataclass(frozen=True)
class Credential:
    """An identity's key pair, both parts known only once the stack is up.

    Attributes:
        access_key_id: The access key.
        secret_access_key: The secret key, a Pulumi secret.
    """

    access_key_id: pulumi.Output[str]
    secret_access_key: pulumi.Output[str] = field(repr=False)
