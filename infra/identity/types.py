"""The Pulumi types of an identity's resources, by the plugin (v3) and by this package (v4).

The rule: whoever asks by what a resource is managed asks here. Imports nothing, so that the preflight and the pure core
may ask too; AWS's types are `ops.adopt.adoptable`'s.
"""

from typing import Literal

AdminApiVersion = Literal["v3", "v4"]
USER, POLICY, ATTACHMENT, ACCOUNT = "user", "policy", "attachment", "key"
PLUGIN_TYPES = {
    USER: "minio:index/iamUser:IamUser",
    POLICY: "minio:index/iamPolicy:IamPolicy",
    ATTACHMENT: "minio:index/iamUserPolicyAttachment:IamUserPolicyAttachment",
    ACCOUNT: "minio:index/iamServiceAccount:IamServiceAccount",
}
OWN_TYPES = {
    USER: "pulumi-python:dynamic/identity:User",
    POLICY: "pulumi-python:dynamic/identity:Policy",
    ATTACHMENT: "pulumi-python:dynamic/identity:Attachment",
    ACCOUNT: "pulumi-python:dynamic/identity:ServiceAccount",
}
TYPES: dict[AdminApiVersion, dict[str, str]] = {"v3": PLUGIN_TYPES, "v4": OWN_TYPES}
