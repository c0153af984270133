"""The preview that shows what a change does to the data: `object-store preview`.

A `shape` describes what a stack has, independent of the cloud. It is read from the engine's steps (`steps`) or from
plans (`offline`). `explain` and `access` compare two shapes; `report` and `render` present the result. The rule:
everything except `command` and `engine` is pure, and an input's value is shown only if these modules know that it is
harmless.
"""
