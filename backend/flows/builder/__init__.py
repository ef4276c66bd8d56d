"""Samples and a recipe become a verified dataset: list, index, plan, render, finish.

Each phase reads and writes small JSON-lines shards below `<name>.partial/.work/`, each written atomically when its
work is done, so a killed run continues where it stopped and any process (or machine) may do any shard.
"""
