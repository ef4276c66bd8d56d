"""What sources may use: keys, addresses and acknowledgements out of the settings."""

from backend.settings import Settings
from connectors.sources.base import Access


def source_access(settings: Settings) -> Access:
    """Return what sources may use."""
    return Access(settings.data_dir / "sources", allow_hosts=frozenset(settings.allow_hosts))
