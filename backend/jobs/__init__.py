"""Durable work by DBOS: queues, recovery, fan-out. What the work is, its callers say; nothing here knows of images."""
