"""Predictions of one Label Studio project: putting many there at once, taking single ones away."""

from collections.abc import Sequence

from connectors.errors import Refused
from connectors.label_studio import Json, LabelStudio

_GONE = 404


def import_predictions(client: LabelStudio, project: int, predictions: Sequence[Json]) -> int:
    """Import predictions, each with `task`, `result`, `score` and `model_version`; return how many were made.

    It is never sent twice by itself, as Label Studio keeps what it gets twice twice.

    Raises:
        Refused: a task is not there (any more); then none was made.
    """
    path = f"api/projects/{project}/import/predictions"
    answer = client.request("POST", path, json=list(predictions), timeout=600)
    return int(answer.json()["created"])


def delete_prediction(client: LabelStudio, prediction: int) -> None:
    """Delete a prediction; one that is gone already is no error."""
    try:
        client.request("DELETE", f"api/predictions/{prediction}/")
    except Refused as error:
        if error.status != _GONE:
            raise
