"""Collect: keywords, lists and pages become checked, de-duplicated images with a manifest line for every candidate.

`spec` what to collect; `search` candidates in order; `check` bytes to a clean file; `fingerprints` what is there
already; `journal` the manifest; `run` joins them; `collection` reads the result. A source is not made here: it is a
file in `connectors/sources` and a line in its table.
"""
