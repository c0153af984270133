"""The way back for what a killed update left, and for what was lost on the server: `object-store recover`.

`interrupted` resolves pending operations, `lost` says what of a state is gone, `surgery` takes it out of the state
(all pure); `live` asks the server by `buckets`, `aistor` and `aws`; `words` says what was found, and `command` is the
command line.
"""
