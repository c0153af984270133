"""The SDK's session of a run: it signs with the stack's key pairs, or not at all.

The rule: no profile, config file or variable of the machine changes what it does (`model.environment`), and it never
looks for credentials of the machine.
"""

from functools import cache

import boto3
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES
from botocore.credentials import CredentialResolver
from botocore.httpsession import get_cert_path
from botocore.session import Session

from model.environment import own_key_settings
from model.loaded_cas import load_cas_once


@cache
def sdk_session() -> boto3.session.Session:
    """One for all clients: loading its service model takes longer than creating all clients."""
    core = Session(session_vars=own_key_settings(BOTOCORE_DEFAUT_SESSION_VARIABLES))
    core.register_component("credential_provider", CredentialResolver(providers=[]))
    return boto3.session.Session(botocore_session=load_cas_once(core))


def public_cas() -> str:
    """The file of the public CAs that the SDK trusts; Python's own default would depend on `SSL_CERT_FILE`."""
    return str(get_cert_path(True))  # noqa: FBT003 - botocore's own
