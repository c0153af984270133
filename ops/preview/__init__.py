"""The preview that says what happens to the data: `object-store preview`.

`shape` (what a stack has, with no cloud in it) is read from the engine's steps (`steps`) or from plans (`offline`),
two of them are compared (`explain`, `access`), and `report` and `render` say it. The rule: everything but `command`
and `engine` is pure, and no input's value is shown that these modules do not know to be harmless.
"""
