"""Where images come from: one file per source, and one line in the table below."""
