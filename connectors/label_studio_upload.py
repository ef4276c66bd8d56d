"""Writing into one Label Studio project: files, tasks, local-files storages; and looking at what is there already.

No call here is ever sent twice by itself: a caller that gets an error looks at what arrived and sends the rest.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from connectors.errors import Refused, ServerError
from connectors.label_studio import Json, LabelStudio

MAX_FILES = 100  # Label Studio answers 500 to more
MAX_BYTES = 100 * 1024 * 1024  # of one request; Label Studio's own limit is 250 MB
_PAGE = 2000
_IDS = 500  # in one address, which proxies cut at 8,000 characters


class ProjectContent:
    """The files and tasks of one project.

    Args:
        client: the connection.
        project: the project's id.
    """

    def __init__(self, client: LabelStudio, project: int) -> None:
        self.client = client
        self.project = project

    def uploads(self) -> list[str]:
        """Return the path of every file this user has uploaded into the project (`upload/3/9ff27d70-x.png`)."""
        response = self.client.request("GET", f"api/projects/{self.project}/file-uploads", params={"all": "true"})
        return [entry["file"] for entry in response.json()]

    def upload(self, files: Sequence[tuple[str, bytes]]) -> list[int]:
        """Upload at most 100 files without making tasks of them; return their ids in the same order.

        Each part has a field name of its own: of parts with one name, Label Studio keeps only the last.
        """
        parts = [(f"f{i}", (name, data, "application/octet-stream")) for i, (name, data) in enumerate(files)]
        arguments: Json = {"params": {"commit_to_project": "false"}, "files": parts}
        answer = self.client.request("POST", f"api/projects/{self.project}/import", **arguments).json()
        return list(answer["file_upload_ids"])

    def paths(self, ids: Sequence[int]) -> dict[int, str]:
        """Return the path of each uploaded file, by its id."""
        found: dict[int, str] = {}
        for begin in range(0, len(ids), _IDS):
            wanted = {"ids": json.dumps(list(ids[begin : begin + _IDS]), separators=(",", ":"))}
            listed = self.client.request("GET", f"api/projects/{self.project}/file-uploads", params=wanted).json()
            found |= {entry["id"]: entry["file"] for entry in listed}
        return found

    def import_tasks(self, tasks: Sequence[bytes]) -> int:
        """Import tasks, each as its JSON text, in one request; return how many Label Studio made."""
        body = b"[" + b",".join(tasks) + b"]"
        headers = {"Content-Type": "application/json"}
        response = self.client.request(
            "POST", f"api/projects/{self.project}/import", content=body, headers=headers, timeout=600
        )
        return int(response.json()["task_count"])

    def tasks(self) -> Iterator[Json]:
        """Yield each task's `id`, `data` and number of annotations, but no annotations: quick."""
        page, seen = 1, 0
        while True:
            parameters: Json = {"project": self.project, "include": "id,data,total_annotations", "resolve_uri": "false"}
            parameters |= {"page": page, "page_size": _PAGE, "query": json.dumps({"ordering": ["tasks:id"]})}
            found = self.client.request("GET", "api/tasks/", params=parameters).json()
            yield from found["tasks"]
            seen += len(found["tasks"])
            if seen >= found["total"] or not found["tasks"]:
                return
            page += 1

    def delete_tasks(self, ids: Sequence[int]) -> None:
        """Delete tasks of the project."""
        chosen = {"selectedItems": {"all": False, "included": list(ids)}}
        parameters: dict[str, Any] = {"id": "delete_tasks", "project": self.project}
        self.client.request("POST", "api/dm/actions/", params=parameters, json=chosen)

    def add_local_storage(self, path: str, title: str) -> None:
        """Let the project show files below a folder of Label Studio's host; does nothing when it may already.

        Raises:
            Refused: local files are switched off there, or the folder lies outside what it serves.
        """
        listed = self.client.request("GET", "api/storages/localfiles/", params={"project": self.project}).json()
        if any(storage["path"].rstrip("/") == path.rstrip("/") for storage in listed):
            return
        self._local_files("", {"title": title, "path": path})

    def check_local_storage(self, path: str) -> None:
        """Make sure that Label Studio sees a folder of its host and may serve it; nothing is created.

        Raises:
            Refused: local files are switched off there, or the folder does not exist or lies outside what it serves.
        """
        self._local_files("validate", {"path": path})

    def _local_files(self, call: str, row: Json) -> None:
        full = {"project": self.project, "use_blob_urls": True, **row}
        try:
            self.client.request("POST", f"api/storages/localfiles/{call}", json=full)
        except Refused as error:
            fix = (
                "start Label Studio with LOCAL_FILES_SERVING_ENABLED=true and LOCAL_FILES_DOCUMENT_ROOT naming a "
                "folder above the shared one (LABELLOOM_STORAGE=OURS=THEIRS where it has another path there), "
                "or unset LABELLOOM_STORAGE to upload the images"
            )
            raise Refused(str(error), fix=fix, status=error.status) from error

    def document_root(self) -> str:
        """Return the folder whose sub-folders Label Studio serves as local files.

        No call names it, but the refusal to serve the root of the disk does.

        Raises:
            ServerError: the refusal does not name it.
        """
        probe = {"project": self.project, "path": "/", "use_blob_urls": True}
        try:
            self.client.request("POST", "api/storages/localfiles/validate", json=probe)
        except Refused as error:
            named = re.search(r'LOCAL_FILES_DOCUMENT_ROOT="([^"]+)"', str(error))
            if named:
                return named[1].rstrip("/")
        msg = f"{self.client.url} does not say which folder it serves local files from"
        raise ServerError(msg, fix="unset LABELLOOM_STORAGE to upload the images instead")
