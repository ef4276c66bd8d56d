"""Bytes <-> RGB arrays: decode behind a bomb guard, EXIF orientation once, odd modes, encode, hashes, atomic files.

Imports `core` only. An image is always uint8 RGB of shape (height, width, 3), as displayed.
"""
