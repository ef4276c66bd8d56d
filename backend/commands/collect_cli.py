"""The arguments of `labelloom collect`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from backend.commands import collect as work
from backend.commands.collect_asked import Asked

CODES = (
    "Exit codes: 0 done; 1 nothing was kept, or not finished; 2 arguments or settings invalid, nothing touched; "
    "3 fewer images than asked for, or some of a list were left out, each named with its reason; "
    "130 interrupted, run it again to resume."
)

app = typer.Typer()


@app.command(epilog=CODES)
def collect(  # noqa: PLR0913 - each is an option of its own
    keywords: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEYWORD...", help="What to look for; or a page's address, or a folder."),
    ] = None,
    count: Annotated[
        int | None, typer.Option("-n", "--count", help="Images to keep per label; default: 100 for keywords, else all.")
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option("--label", help='A label and its keywords: "cat=cat photo,kitten"; repeatable.')
    ] = None,
    labels: Annotated[
        Path | None, typer.Option("--labels", help="A class list in YAML: one `label: [keywords]` a line.")
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option("--source", "-s", help="Where from, in this order; repeatable; see `labelloom doctor --sources`."),
    ] = None,
    list_: Annotated[
        list[Path] | None, typer.Option("--list", help="A file of addresses: text, CSV, TSV or JSONL; repeatable.")
    ] = None,
    project: Annotated[int | None, typer.Option("--project", "-p", min=1, help="Label Studio project id.")] = None,
    new: Annotated[str | None, typer.Option("--new", help="Make a new project with this title instead.")] = None,
    config: Annotated[str, typer.Option("--config", help="What a new project draws: bbox, polygon, choices.")] = "bbox",
    review: Annotated[bool, typer.Option("--review", help="Import nothing yet: look at the images first.")] = False,
    prelabel: Annotated[bool, typer.Option("--prelabel", help="Let the project's model predict afterwards.")] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The collection's folder; default: our own.")] = None,
    to_folders: Annotated[
        Path | None, typer.Option("--to-folders", help="Also make a folder of images for each label in here.")
    ] = None,
    license_: Annotated[
        str | None, typer.Option("--license", help="Only these: by,by-sa,cc0,pdm ...; an unknown one is none of them.")
    ] = None,
    near: Annotated[str, typer.Option("--near", help="Nearly equal images: skip, group or keep.")] = "skip",
    min_side: Annotated[int, typer.Option("--min-side", min=1, help="Least pixels of the shorter side.")] = 32,
    keep_gps: Annotated[bool, typer.Option("--keep-gps", help="Leave the camera's data in the files.")] = False,
    opt_out: Annotated[
        str, typer.Option("--opt-out", help="Images whose owner reserves them: refuse, or record and keep.")
    ] = "refuse",
    deadline: Annotated[float, typer.Option("--deadline", min=0.1, help="Seconds for one image.")] = 30.0,
    per_host: Annotated[int, typer.Option("--per-host", min=1, help="Connections to one host at once.")] = 2,
    rate: Annotated[float, typer.Option("--rate", min=0, help="Requests to one host per second; 0: any.")] = 1.0,
    allow_host: Annotated[
        list[str] | None, typer.Option("--allow-host", help="A host that may have a private address; repeatable.")
    ] = None,
    accept_terms: Annotated[
        str | None, typer.Option("--accept-terms", help="Acknowledge a source's terms, for good: naver-web.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done; asks nobody.")] = False,
    retry: Annotated[
        bool, typer.Option("--retry", help="Ask again for what could not be had because of the network or a host.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one machine-readable object on stdout.")] = False,
) -> None:
    """Collect images by keyword, from a page, a list or a folder; make Label Studio tasks of them.

    Example: `labelloom collect "고양이 사진" -n 100 --new 고양이`

    Example: `labelloom collect --label "cat=cat photo,kitten" --label dog -n 1000 --to-folders classes/`

    Example: `labelloom collect --list urls.csv --out found/`
    """
    what: dict[str, Any] = {"keywords": keywords or [], "label": label or [], "labels": labels, "lists": list_ or []}
    rules: dict[str, Any] = {
        "count": count,
        "licenses": license_,
        "near": near,
        "min_side": min_side,
        "keep_gps": keep_gps,
    }
    fetch: dict[str, Any] = {
        "deadline": deadline,
        "per_host": per_host,
        "rate": rate,
        "hosts": allow_host or [],
        "opt_out": opt_out,
    }
    target: dict[str, Any] = {"project": project, "new": new, "config": config, "review": review, "prelabel": prelabel}
    target |= {"out": out, "to_folders": to_folders}
    sources: dict[str, Any] = {"sources": source or [], "terms": accept_terms}
    work.collect(Asked(**what, **rules, **fetch, **target, **sources, dry_run=dry_run, retry=retry), as_json=as_json)
