"""Documents: originals to `docs-raw` by their content, what is made of them to `docs-derived`."""
