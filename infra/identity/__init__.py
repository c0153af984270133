"""Users, policies, attachments and service accounts of an AIStor by its admin API, as dynamic resources.

The rule: names of properties are those of pulumi-minio's types, so that the two ways of realising an identity differ
in the type alone and a state is moved from one to the other (`ops.switch_admin_api`). What a provider pickles into
the state is a reference to its class: no field, no path, no secret. Groups and LDAP are left out.
"""
