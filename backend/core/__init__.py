"""Values and pure functions: what a region is, where it lies, what happened to it, who shares a split.

Imports numpy, shapely and pydantic (validation) at most; no files, no network, no images.
"""
