"""Every setting, and the only reader of the environment."""

from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import platformdirs
from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from backend.core.errors import UsageError


class Settings(BaseSettings):
    """Settings from `LABELLOOM_*`; Label Studio's own two names are honoured as well."""

    model_config = SettingsConfigDict(env_prefix="LABELLOOM_", extra="ignore", populate_by_name=True)

    data_dir: Path = Field(default_factory=lambda: platformdirs.user_data_path("labelloom"))
    cache_dir: Path = Field(default_factory=lambda: platformdirs.user_cache_path("labelloom"))
    label_studio_url: str | None = Field(
        None, validation_alias=AliasChoices("LABELLOOM_LABEL_STUDIO_URL", "LABEL_STUDIO_URL")
    )
    label_studio_api_key: SecretStr | None = Field(
        None, validation_alias=AliasChoices("LABELLOOM_LABEL_STUDIO_API_KEY", "LABEL_STUDIO_API_KEY")
    )
    database_url: str | None = Field(None, description="default: SQLite in the data directory")
    storage: str | None = Field(
        None, description="default: upload into Label Studio; or a shared folder, or s3://bucket/prefix"
    )
    datasets_storage: str | None = Field(
        None, description="a folder, s3://bucket/prefix or other address that every finished dataset is pushed to"
    )
    allow_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="private hosts, separated by commas, that task images may be fetched from"
    )

    worker_timeout: float = Field(30.0, gt=0, description="seconds after which a silent worker counts as dead")
    keep_jobs_days: float = Field(90.0, gt=0, description="days after which finished jobs are forgotten")

    base_url: str | None = Field(
        None, description="the address people open LabelLoom at; with https, cookies are sent over TLS only"
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="host names, separated by commas, that LabelLoom answers to beside localhost and its own name"
    )
    trusted_proxies: int = Field(0, ge=0, le=5, description="how many reverse proxies stand before LabelLoom")

    allowed_emails: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="e-mails, separated by commas, of those who may start jobs from inside Label Studio; "
        "* for all; default: the account that `labelloom up` made",
    )

    naver_client_id: SecretStr | None = Field(None, description="client id for Naver's image search API")
    naver_client_secret: SecretStr | None = Field(None, description="its client secret")
    naver_dialect: Literal["hub", "legacy"] = Field(
        "hub", description="hub: keys of NAVER API HUB; legacy: older keys of the developer centre"
    )
    openverse_client_id: SecretStr | None = Field(None, description="client id of a registered Openverse application")
    openverse_client_secret: SecretStr | None = Field(None, description="its client secret")
    source_urls: Annotated[dict[str, str], NoDecode] = Field(
        {}, description="other addresses of image sources, as SOURCE=URL separated by commas"
    )
    contact: str | None = Field(
        None, description="an e-mail address or web page that requests to image sources and sites name"
    )

    @field_validator("naver_client_id", "naver_client_secret", "openverse_client_id", "openverse_client_secret")
    @classmethod
    def _nothing_is_unset(cls, value: SecretStr | None) -> SecretStr | None:
        text = value.get_secret_value().strip() if value else ""
        return SecretStr(text) if text else None

    @field_validator("source_urls", mode="before")
    @classmethod
    def _pairs(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        pairs = [part.strip().partition("=") for part in value.split(",") if part.strip()]
        for name, _, url in pairs:
            if not name.strip() or not url.strip().startswith(("http://", "https://")):
                msg = "expected SOURCE=URL, separated by commas, with http or https addresses"
                raise ValueError(msg)
        return {name.strip(): url.strip() for name, _, url in pairs}

    @field_validator("contact")
    @classmethod
    def _one_line(cls, value: str | None) -> str | None:
        if value is not None and not (value.isascii() and value.isprintable()):
            msg = "expected an e-mail address or a web address in ASCII"
            raise ValueError(msg)
        return (value or "").strip() or None

    @field_validator("allow_hosts", "allowed_hosts", "allowed_emails", mode="before")
    @classmethod
    def _commas(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @property
    def database(self) -> str:
        """The SQLAlchemy URL of our own tables."""
        url = self.database_url or f"sqlite:///{self.data_dir / 'labelloom.db'}"
        for prefix in ("postgres://", "postgresql://"):  # the usual spellings; the driver we install is psycopg
            url = url.replace(prefix, "postgresql+psycopg://", 1) if url.startswith(prefix) else url
        return url

    @property
    def datasets_dir(self) -> Path:
        """Where datasets go when no --out is given."""
        return self.data_dir / "datasets"

    @property
    def collections_dir(self) -> Path:
        """Where collected images go when no --out is given, one folder per collection."""
        return self.data_dir / "collections"

    @property
    def recipes_dir(self) -> Path:
        """Where the user's own recipes lie."""
        return self.data_dir / "recipes"

    @property
    def sources_dir(self) -> Path:
        """Source images by sha256, kept so that a dataset can be rebuilt."""
        return self.cache_dir / "sources"

    @property
    def styles_dir(self) -> Path:
        """Where the user's own styles lie: pictures, each called by its file's name."""
        return self.data_dir / "styles"

    @property
    def style_codes_dir(self) -> Path:
        """What engines made of styles, by engine and sha256."""
        return self.cache_dir / "style-codes"

    @property
    def style_weights_dir(self) -> Path:
        """Where fetched weights of style engines lie."""
        return self.data_dir / "style-weights"

    @property
    def style_engines_dir(self) -> Path:
        """Where style engines lie that jobs trained, one folder each."""
        return self.data_dir / "style-engines"

    @property
    def lists_dir(self) -> Path:
        """Where lists of addresses and folders of images lie that may be collected from over HTTP."""
        return self.data_dir / "lists"

    @property
    def sheets_dir(self) -> Path:
        """Where contact sheets of preview jobs lie, by job."""
        return self.data_dir / "sheets"

    @property
    def models_dir(self) -> Path:
        """Where models lie, one folder each, by version."""
        return self.data_dir / "models"

    @property
    def logs_dir(self) -> Path:
        """Where log files lie."""
        return self.data_dir / "logs"

    @cached_property
    def label_studio_environment(self) -> Path:
        """Label Studio's own virtual environment (its pins must not bind ours)."""
        return self.cache_dir / "label-studio-1.23.2"


def load_settings() -> Settings:
    """Return the settings of this process.

    Raises:
        UsageError: a variable has an unusable value.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        msg = f"setting {name}: {first['msg']}, got {first.get('input')!r}"
        raise UsageError(msg, fix="correct the environment variable, or unset it") from error
