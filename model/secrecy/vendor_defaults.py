"""The credentials that a vendor ships: anyone can access a server or an identity that still has them.

The rule: all code that reads a key pair refuses these. It leaves out the message that each reader shows.
"""

# Access key and secret key of every MinIO and AIStor manifest:
# https://docs.min.io/community/minio-object-store/reference/minio-server/settings/root-credentials.html
VENDOR_PAIR = ("minioadmin", "minioadmin")
VENDOR_DEFAULTS = frozenset(VENDOR_PAIR)
