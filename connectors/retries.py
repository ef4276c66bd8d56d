"""Retries that tell the log and nobody else: stdout belongs to a command's answer.

Left alone, stamina prints to stdout as soon as structlog happens to be installed.
"""

import stamina
from stamina.instrumentation import LoggingOnRetryHook, set_on_retry_hooks

set_on_retry_hooks((LoggingOnRetryHook,))
retry_context = stamina.retry_context
