"""The embedded S3 and IAM server: moto behind a gate that refuses requests as each vendor does."""
