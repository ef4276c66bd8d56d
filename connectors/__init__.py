"""The outside world in its own terms: Label Studio and its server process. Returns bytes and plain data.

A leaf: imports nothing from `backend`. Its errors are translated in `backend.flows`.
"""
