"""The namespace of our config keys in a stack's file, which `infra.settings` reads."""

NAMESPACE = "object-store"
