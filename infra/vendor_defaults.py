"""The credentials that a vendor ships: a server or an identity that still has them is open to anybody.

The rule: whoever takes a key pair refuses these. It leaves out how each reader says so.
"""

# The pair that every MinIO and AIStor manifest ships with.
VENDOR_DEFAULTS = frozenset({"minioadmin"})
