"""The Pulumi engine of the sandbox: found or built, its language host, and what else is built from Go modules."""
