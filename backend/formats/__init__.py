"""Text <-> values for each dataset format, and thin directory walkers.

Adding one: a file with an object that fulfils `base.Format`, a line in FORMATS, an independent reader in `verify`.
"""
