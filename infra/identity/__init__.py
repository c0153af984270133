"""Dynamic resources that manage AIStor users, policies, attachments and service accounts with the admin API.

The rule: properties have the names of pulumi-minio's types. Both implementations of an identity therefore differ only
in type, and `ops.switch_admin_api` can move a state from one to the other. A provider pickles only a reference to its
class into the state: no field, no path, no secret. It leaves out groups and LDAP.
"""
