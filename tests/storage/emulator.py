"""The keys of the emulated bucket: what must never be seen in a message or a log."""

KEY, SECRET = "AKIALOOMTESTKEY00000", "loom-secret-never-shown-0123456789abcdef"
