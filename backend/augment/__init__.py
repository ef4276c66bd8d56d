"""The catalog of transforms, the step loop that draws variants and keeps the ledger, and pictures of the result.

The only package that imports Albumentations (inside functions: it costs a second). Never imports a sibling package.
"""
