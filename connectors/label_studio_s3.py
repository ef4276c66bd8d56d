"""A bucket that Label Studio shows images from: told to it as an import storage of one project.

Label Studio signs an address for each image it shows, so that the browser fetches it from the bucket itself; where
browsers cannot reach the bucket, it passes the bytes on instead.
"""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from connectors.errors import ConnectorError, Refused
from connectors.label_studio import Json
from connectors.label_studio_upload import ProjectContent
from connectors.storage import is_s3, load

SIGNED_FOR = 15  # minutes
PROXY = "proxy"  # in place of an endpoint: browsers do not reach the bucket
_LASTING = {"env", "shared-credentials-file", "config-file"}  # others expire, and cannot be handed on
_NOTHING = "^$"  # no key matches: pressing Sync in Label Studio must not make tasks of our images


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket as Label Studio is to reach it.

    endpoint: None is Amazon's own; keys: empty where it has its own; signed: whether browsers fetch the images.
    """

    bucket: str
    prefix: str
    endpoint: str | None
    region: str | None
    keys: dict[str, str] = field(default_factory=dict, repr=False)
    signed: bool = True

    def row(self) -> Json:
        """Return what Label Studio calls it."""
        row = {"bucket": self.bucket, "prefix": self.prefix, "s3_endpoint": self.endpoint, "region_name": self.region}
        known = {name: value for name, value in row.items() if value}
        return {**known, **self.keys, "presign": self.signed, "presign_ttl": SIGNED_FOR}


def place(url: str, endpoint: str | None = None) -> Place:
    """Return the bucket of an address, with the keys and the endpoint this process uses.

    Args:
        url: `s3://bucket/prefix`.
        endpoint: how Label Studio and browsers reach it, where that differs; or `PROXY`, where browsers do not.

    Raises:
        Refused: it names no bucket, or the extra `s3` is not installed.
    """
    parts = urlsplit(url)
    if not is_s3(url) or not parts.netloc or "@" in parts.netloc:
        msg = f"{url.rpartition('@')[2]!r} names no bucket"
        raise Refused(msg, fix="give s3://bucket/prefix, and keys by AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    session = load("botocore.session").get_session()
    unsigned = load("botocore.config").Config(signature_version=load("botocore").UNSIGNED)
    client = session.create_client("s3", config=unsigned, region_name=session.get_config_variable("region") or None)
    known = urlsplit(str(client.meta.endpoint_url))
    own = None if (known.hostname or "").endswith((".amazonaws.com", ".amazonaws.com.cn")) else known.geturl()
    region = client.meta.region_name
    keys: dict[str, str] = {}
    found = session.get_credentials()
    if found and found.method in _LASTING:
        given = found.get_frozen_credentials()
        keys = {"aws_access_key_id": given.access_key, "aws_secret_access_key": given.secret_key}
        keys |= {"aws_session_token": given.token} if given.token else {}
    reached = own if endpoint in {None, PROXY} else endpoint
    region = None if region == "aws-global" else region
    return Place(parts.netloc, parts.path.strip("/"), reached, region, keys, signed=endpoint != PROXY)


def check_s3_storage(content: ProjectContent, where: Place) -> None:
    """Make sure that Label Studio can list the bucket; nothing is created. Something must lie there already.

    Raises:
        Refused: it cannot; the fix says what to set.
    """
    _ask(content, where, "POST", "validate")


def add_s3_storage(content: ProjectContent, where: Place, title: str) -> None:
    """Let the project show images of the bucket; where it may already, the keys are brought up to date.

    Raises:
        Refused: Label Studio cannot reach or open the bucket; the fix says what to set.
    """
    listed = content.client.request("GET", "api/storages/s3/", params={"project": content.project}).json()
    for storage in listed:
        if (storage["bucket"], (storage["prefix"] or "").strip("/")) == (where.bucket, where.prefix):
            return _ask(content, where, "PATCH", str(storage["id"]))
    return _ask(content, where, "POST", "", title=title)


def _ask(content: ProjectContent, where: Place, method: str, call: str, **more: str) -> None:
    row: Json = {"project": content.project, "use_blob_urls": True, "regex_filter": _NOTHING, **where.row(), **more}
    try:
        content.client.request(method, f"api/storages/s3/{call}", json=row)
    except ConnectorError as error:
        if error.status is None:
            raise
        msg = f"Label Studio cannot show images of s3://{where.bucket}/{where.prefix}: {error}"
        raise Refused(msg, fix=_fix(where, str(error)), status=error.status) from error


def _fix(where: Place, said: str) -> str:
    if "reserved network" in said or "SSRF" in said or _no_such_host(said):
        return (
            f"Label Studio must reach {where.endpoint}: start it with SSRF_PROTECTION_ENABLED=false where that is a "
            "private address, and give LABELLOOM_STORAGE=s3://bucket/prefix=ENDPOINT where it has another one for it"
        )
    handed = (
        "the keys of this process were handed to it: see that they may list and read the bucket"
        if where.keys
        else "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY here, which are handed to it, or start Label Studio with "
        "keys of its own (this process has none that last)"
    )
    reach = f", and that Label Studio's host reaches {where.endpoint}" if where.endpoint else ""
    return f"{handed}{reach}; or unset LABELLOOM_STORAGE to upload the images"


def _no_such_host(said: str) -> bool:
    return "resolve hostname" in said
