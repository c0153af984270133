"""The life of the credentials that a stack hands out: generations, delivery, revocation."""
