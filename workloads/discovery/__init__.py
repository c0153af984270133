"""Discoveries: a web page or a repository, archived as it was fetched before a note is made of it."""
