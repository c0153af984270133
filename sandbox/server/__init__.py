"""The embedded S3 and IAM server: moto behind a gate that refuses as each vendor does."""
