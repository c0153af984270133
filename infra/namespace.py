"""The namespace of this project's config keys in a stack's file, which `infra.settings` reads."""

NAMESPACE = "object-store"
