"""The HTTP surface: JSON API, three pages, health. It calls flows and renders what they return.

Nothing heavy is imported when this package is (no albumentations, cv2, SDK or DBOS). A new API route is a function on
one of the blueprints in `api_*.py`; every route needs a caller unless it is marked with `security.own_auth`.
"""
