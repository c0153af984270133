"""The life of the credentials that a stack publishes: generations, delivery, revocation."""
