"""Label Studio over its API: the check, projects, views, people, and tasks in pages.

Uploads and imports are in `label_studio_upload`, images in `label_studio_images`. Reads are tried again when the
connection breaks or the server fails; writes never are, because a write that was answered with an error may have
been done all the same.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpx

from connectors import label_studio_errors
from connectors.errors import NotLabelStudio, Refused, ServerFailed, TooOld, Unreachable
from connectors.label_studio_auth import TokenAuth
from connectors.retries import retry_context

if TYPE_CHECKING:
    from label_studio_sdk.client import LabelStudio as Sdk

Json = dict[str, Any]

MINIMUM = (1, 20)
PAGE = 100  # tasks per page: about half a second of Label Studio's time
_IDS_PAGE = 5000
_PROJECT = "id,title,description,label_config,task_number"
_TIMEOUT = httpx.Timeout(120.0, connect=10.0)  # an import of thousands of tasks runs inside its request


@dataclass(frozen=True, slots=True)
class Info:
    """What answered the check."""

    url: str
    version: str
    user_id: int
    email: str


@dataclass(frozen=True, slots=True)
class Project:
    """A project's facts; `link` opens it in a browser."""

    id: int
    title: str
    description: str
    label_config: str
    task_number: int
    link: str


class LabelStudio:
    """A connection to one Label Studio, safe to share between threads.

    Args:
        url: its address, with a path prefix where it has one.
        api_key: a personal access token or a legacy token.
        client: an httpx client to use instead of one of our own (its `auth` is replaced).
    """

    def __init__(self, url: str, api_key: str, *, client: httpx.Client | None = None) -> None:
        try:
            self.base = httpx.URL(url.strip().rstrip("/"))
        except httpx.InvalidURL as error:
            raise label_studio_errors.bad_address(url) from error
        if self.base.scheme not in {"http", "https"} or not self.base.host:
            raise label_studio_errors.bad_address(url)
        self.url = str(self.base)
        self.auth = TokenAuth(self.base, api_key.strip())
        limits = httpx.Limits(max_connections=16)
        self.http = client or httpx.Client(timeout=_TIMEOUT, limits=limits)
        self.http.auth = self.auth

    @cached_property
    def sdk(self) -> "Sdk":
        """Label Studio's own client on our connection.

        Its key is a placeholder: our `auth` signs every request, renews tokens early and spares other hosts. Its
        retries are off: it would send a POST again that had been carried out.
        """
        from label_studio_sdk.client import LabelStudio as Sdk

        make: Any = Sdk  # its constructor is untyped
        client: Sdk = make(
            base_url=self.url, api_key="signed-by-transport", httpx_client=self.http, max_retries=0, timeout=120
        )
        return client

    def request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """Send one request to `<url>/<path>` and return its answer; GETs are tried up to 4 times.

        Raises:
            ConnectorError: one of its kinds, with what Label Studio said.
        """
        url = f"{self.url}/{path.lstrip('/')}"
        attempts = 4 if method == "GET" else 1
        retries = retry_context(on=(Unreachable, ServerFailed), attempts=attempts, wait_initial=0.2, wait_max=5)
        for attempt in retries:
            with attempt, label_studio_errors.translated(self.url):
                response = self.http.request(method, url, **arguments)
                label_studio_errors.raise_for(response, self.url)
        return response

    @contextmanager
    def calling(self) -> Iterator["Sdk"]:
        """Lend the SDK's client and turn its errors into ours."""
        with label_studio_errors.translated(self.url):
            yield self.sdk

    def check(self) -> Info:
        """Make sure that this is a Label Studio that is new enough and lets us in.

        Raises:
            Unreachable, NotLabelStudio, TooOld, Unauthorized: each with its fix.
        """
        try:
            release = self.request("GET", "api/version", auth=None).json()["release"]
            version = tuple(int(part) for part in str(release).split(".")[:2])
        except (Refused, ValueError, KeyError, TypeError) as error:
            msg = f"what answers at {self.url} is not Label Studio (its /api/version names no release)"
            fix = "Give Label Studio's own address, without a path such as /projects/1."
            raise NotLabelStudio(msg, fix=fix) from error
        if version < MINIMUM:
            wanted = ".".join(map(str, MINIMUM))
            msg = f"Label Studio at {self.url} is {release}; {wanted} or newer is needed"
            raise TooOld(msg, fix="Upgrade it: pip install -U label-studio, or pull a newer image.")
        me = self.request("GET", "api/current-user/whoami").json()
        return Info(self.url, str(release), int(me["id"]), str(me["email"]))

    def project(self, project: int) -> Project:
        """Return one project.

        Raises:
            Refused: it does not exist, or the token may not see it.
        """
        with self.calling() as sdk:
            return self._project(sdk.projects.get(project))

    def projects(self) -> Iterator[Project]:
        """Yield every project the token may see (configs included)."""
        page, more = 1, True
        while more:  # not the SDK's pager: it asks for one page too many
            asked: Json = {"page": page, "page_size": PAGE, "include": _PROJECT}  # all fields take 4 times as long
            found = self.request("GET", "api/projects/", params=asked).json()
            yield from (self._project(SimpleNamespace(**row)) for row in found["results"])
            page, more = page + 1, bool(found["next"])

    def create_project(self, title: str, description: str, label_config: str) -> Project:
        """Create a project; its title must be 3 to 50 characters long."""
        with self.calling() as sdk:
            made = sdk.projects.create(
                title=title, description=description, label_config=label_config, show_collab_predictions=True
            )
            return self._project(made)

    def delete_project(self, project: int) -> None:
        """Delete a project with its tasks and uploads."""
        with self.calling() as sdk:
            sdk.projects.delete(project)

    def _project(self, found: Any) -> Project:
        link = f"{self.url}/projects/{found.id}/data"
        number = getattr(found, "task_number", None) or 0
        return Project(found.id, found.title or "", found.description or "", found.label_config or "", number, link)

    def views(self, project: int) -> list[Json]:
        """Return the project's Data Manager tabs: `{"id", "title"}` each."""
        with self.calling() as sdk:
            return [{"id": v.id, "title": (v.data or {}).get("title", "")} for v in sdk.views.list(project=project)]

    def create_view(self, project: int, data: Json) -> int:
        """Create a Data Manager tab from its `data` (title, filters, ordering, ...) and return its id."""
        response = self.request("POST", "api/dm/views/", json={"project": project, "data": data})
        return int(response.json()["id"])

    def users(self) -> dict[int, str]:
        """Return the email of every user, by id."""
        with self.calling() as sdk:
            return {user.id: user.email for user in sdk.users.list() if user.id is not None and user.email}

    def task_ids(self, project: int, *, view: int | None = None, filters: Json | None = None) -> list[int]:
        """Return the ids of a project's tasks, or of those a view shows or else the filters let through, ascending.

        Listing them first makes the set fixed: people at work cannot move tasks between pages while we read.
        """
        ids: list[int] = []
        parameters: Json = {"project": project, "include": "id", "page_size": _IDS_PAGE}
        if view:
            parameters["view"] = view
        elif filters:
            parameters["query"] = json.dumps({"filters": filters})
        while True:
            page = self.request("GET", "api/tasks/", params={**parameters, "page": len(ids) // _IDS_PAGE + 1}).json()
            ids += [task["id"] for task in page["tasks"]]
            if len(ids) >= page["total"] or not page["tasks"]:
                return sorted(set(ids))

    def most_annotated(self, project: int, count: int) -> list[int]:
        """Return the ids of at most `count` tasks (up to 100), those with most annotations first."""
        query = json.dumps({"ordering": ["-tasks:total_annotations"]})
        parameters = {"project": project, "include": "id", "page": 1, "page_size": count, "query": query}
        return [task["id"] for task in self.request("GET", "api/tasks/", params=parameters).json()["tasks"]]

    def tasks(self, project: int, *, view: int | None = None, ids: Sequence[int] | None = None) -> Iterator[Json]:
        """Yield tasks with their annotations and predictions, as Label Studio's JSON, in the order of their ids.

        Image addresses are as stored, not resolved. A task that was deleted since its id was listed is left out.
        """
        wanted = sorted(set(ids)) if ids is not None else self.task_ids(project, view=view)
        for begin in range(0, len(wanted), PAGE):
            chosen = {"all": False, "included": wanted[begin : begin + PAGE]}
            query = json.dumps({"selectedItems": chosen, "ordering": ["tasks:id"]})
            parameters = {
                "project": project,
                "fields": "all",
                "resolve_uri": "false",
                "page_size": PAGE,
                "query": query,
            }
            yield from self.request("GET", "api/tasks/", params=parameters).json()["tasks"]
