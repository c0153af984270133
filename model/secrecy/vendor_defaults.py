"""The credentials that a vendor ships: a server or an identity that still has them is open to anybody.

The rule: whoever takes a key pair refuses these. It leaves out how each reader says so.
"""

# Access key and secret key of every MinIO and AIStor manifest:
# https://docs.min.io/community/minio-object-store/reference/minio-server/settings/root-credentials.html
VENDOR_PAIR = ("minioadmin", "minioadmin")
VENDOR_DEFAULTS = frozenset(VENDOR_PAIR)
