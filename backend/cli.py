"""`labelloom`: the command line. Each command's arguments are here; its work is one flow."""

from pathlib import Path
from typing import Annotated

import typer

from backend import __version__
from backend.commands import (
    attribution_cli,
    collect_cli,
    connect_cli,
    data,
    datasets_cli,
    detect_cli,
    label_studio,
    look_after,
    operate_cli,
    rules_cli,
    style_cli,
)

CODES = (
    "Exit codes: 0 done; 1 not finished, not verified, or nothing to do; 2 arguments, settings or recipe invalid, "
    "nothing touched; 3 finished, but some images, tasks or variants were left out, each named with its reason; "
    "130 interrupted, run it again to resume."
)

app = typer.Typer(
    name="labelloom",
    no_args_is_help=True,
    epilog=CODES,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Turn a labelled Label Studio project, or a dataset folder, into an augmented, verified dataset.",
)
recipe_app = typer.Typer(no_args_is_help=True, help="Check a recipe, or write its steps as plain Python.")
datasets_app = typer.Typer(no_args_is_help=True, help="List, compare, move or remove datasets.")
datasets_app.add_typer(datasets_cli.app)
for part in (connect_cli, collect_cli, attribution_cli, operate_cli, detect_cli, style_cli):
    app.add_typer(part.app)
app.add_typer(rules_cli.app, name="rules")
app.add_typer(recipe_app, name="recipe")
app.add_typer(datasets_app, name="datasets")

Json = Annotated[bool, typer.Option("--json", help="Print one machine-readable object on stdout.")]
Recipe = Annotated[str, typer.Option("--recipe", "-r", help="A recipe's name (see `labelloom recipes`) or its file.")]
MaybeRecipe = Annotated[str | None, typer.Option("--recipe", "-r", help="A recipe's name or its file.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Folder that gets the dataset's folder.")]
Name = Annotated[str | None, typer.Option("--name", help="The dataset's name; default: the recipe's.")]
Workers = Annotated[int | None, typer.Option("--workers", "-w", min=1, help="Processes; default: one per processor.")]
Formats = Annotated[
    list[str] | None,
    typer.Option("--format", "-f", help="yolo, yolo-obb, yolo-seg, voc, coco or folders; may be repeated."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace another dataset of the same name.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be written, and what it would cost.")]
Project = Annotated[int, typer.Option("--project", "-p", help="Label Studio project id.")]
MaybeProject = Annotated[int | None, typer.Option("--project", "-p", help="Label Studio project id.")]


def _version(value: bool) -> None:
    if value:
        typer.echo(f"labelloom {__version__}")
        raise typer.Exit


@app.callback()
def main_options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Hold options that belong to no command."""


@app.command(epilog=CODES)
def augment(
    dataset: Annotated[Path, typer.Argument(help="A VOC, YOLO or COCO dataset, class folders, or a folder of images.")],
    recipe: Recipe,
    out: Out = None,
    name: Name = None,
    workers: Workers = None,
    formats: Formats = None,
    overwrite: Overwrite = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Make an augmented dataset from a dataset folder.

    Example: `labelloom augment raccoons/ --recipe street-default --out datasets/ -f yolo -f coco`
    """
    options = data.options(out, name, formats, workers, overwrite=overwrite, dry_run=dry_run)
    data.augment(dataset, recipe, options, as_json=as_json)


@app.command(epilog=CODES)
def export(
    project: Project,
    recipe: MaybeRecipe = None,
    view: Annotated[
        int | None, typer.Option("--view", help="Only the tasks of this Data Manager tab (its id).")
    ] = None,
    tasks: Annotated[str | None, typer.Option("--tasks", help="Only these task ids: 1,5-90.")] = None,
    label: Annotated[list[str] | None, typer.Option("--label", help="Only tasks with this label; repeatable.")] = None,
    since: Annotated[str | None, typer.Option("--since", help="Only tasks updated since: 2026-11-01[T12:00].")] = None,
    annotations: Annotated[
        str, typer.Option("--annotations", help="newest, ground-truth or consensus, where a task has several.")
    ] = "newest",
    write_back: Annotated[
        str | None, typer.Option("--write-back", help="Also make a new project with this title from the result.")
    ] = None,
    as_predictions: Annotated[
        bool, typer.Option("--as-predictions", help="Write back predictions instead of annotations.")
    ] = False,
    sample: Annotated[
        int | None, typer.Option("--sample", min=1, help="Write back only so many tasks, the most damaged first.")
    ] = None,
    out: Out = None,
    name: Name = None,
    workers: Workers = None,
    formats: Formats = None,
    overwrite: Overwrite = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Export a Label Studio project as a verified dataset, augmented by a recipe.

    Example: `labelloom export --project 3 --recipe street-default --write-back "Raccoons, augmented"`
    """
    options = data.options(out, name, formats, workers, overwrite=overwrite, dry_run=dry_run)
    chosen = label_studio.selection(view, tasks, label, since, annotations)
    target = label_studio.write_back_options(write_back, sample, as_predictions=as_predictions)
    label_studio.export(project, recipe, chosen, options, target, as_json=as_json)


@app.command(name="import", epilog=CODES)
def import_(
    path: Annotated[Path, typer.Argument(help="A VOC, YOLO or COCO dataset, class folders, or a folder of images.")],
    project: MaybeProject = None,
    new: Annotated[str | None, typer.Option("--new", help="Make a new project with this title instead.")] = None,
    as_json: Json = False,
) -> None:
    """Turn a dataset into Label Studio tasks with annotations.

    Example: `labelloom import raccoons/ --new Raccoons`
    """
    label_studio.import_(path, project, new, as_json=as_json)


@app.command(epilog=CODES)
def preview(
    recipe: Recipe,
    dataset: Annotated[Path | None, typer.Argument(help="A dataset folder; or use --project.")] = None,
    project: MaybeProject = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The picture to write (PNG or JPEG).")] = Path("preview.png"),
    worst: Annotated[bool, typer.Option("--worst", help="Show the most damaged of some 200 variants.")] = False,
    images: Annotated[int, typer.Option("--images", min=1, max=50, help="How many source images.")] = 4,
    variants: Annotated[int, typer.Option("--variants", min=1, max=20, help="Variants of each.")] = 4,
    as_json: Json = False,
) -> None:
    """Draw a contact sheet: originals beside variants, with boxes and masks.

    Example: `labelloom preview raccoons/ --recipe street-default --worst -o worst.png`
    """
    data.preview((dataset, project), recipe, out, (images, variants), worst=worst, as_json=as_json)


@app.command(epilog=CODES)
def convert(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="A dataset in any known format.")],
    target: Annotated[Path, typer.Argument(metavar="DST", help="The folder to make.")],
    to: Annotated[str, typer.Option("--to", help="yolo, yolo-obb, yolo-seg, voc, coco or folders.")],
    as_json: Json = False,
) -> None:
    """Convert a dataset between formats; images are copied byte for byte.

    Example: `labelloom convert raccoons/ raccoons-yolo/ --to yolo`
    """
    data.convert(source, target, to, as_json=as_json)


@app.command()
def verify(
    dataset: Annotated[Path, typer.Argument(help="A dataset's folder.")],
    as_json: Json = False,
) -> None:
    """Read a dataset back with independent readers and compare it with what was meant.

    Example: `labelloom verify datasets/street-default`
    """
    data.verify(dataset, as_json=as_json)


@app.command()
def rebuild(
    manifest: Annotated[Path, typer.Argument(help="A dataset's manifest.jsonl (dataset.json lies beside it).")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder that gets the rebuilt dataset.")] = None,
    sources: Annotated[Path | None, typer.Option("--sources", help="Folder with the source images.")] = None,
    check: Annotated[bool, typer.Option("--verify", help="Rebuild into a temporary folder and compare.")] = False,
    workers: Workers = None,
    as_json: Json = False,
) -> None:
    """Make a dataset again, bit for bit, from its manifest.

    Example: `labelloom rebuild datasets/street-default/manifest.jsonl --verify`
    """
    data.rebuild(manifest, out, sources, workers, check=check, as_json=as_json)


@recipe_app.command("validate")
def recipe_validate(
    file: Annotated[str, typer.Argument(help="A recipe's file or name.")], as_json: Json = False
) -> None:
    """Check a recipe and name every problem.

    Example: `labelloom recipe validate my-recipe.yaml`
    """
    look_after.recipe_validate(file, as_json=as_json)


@recipe_app.command("export")
def recipe_export(
    file: Annotated[str, typer.Argument(help="A recipe's file or name.")],
    to: Annotated[str, typer.Option("--to", help="python: a plain albumentations.Compose.")] = "python",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File to write; default: stdout.")] = None,
) -> None:
    """Write a recipe's steps as plain Python for on-the-fly training.

    Example: `labelloom recipe export street-default --to python -o transforms.py`
    """
    look_after.recipe_export(file, to, out)


@recipe_app.command("steps")
def recipe_steps(
    name: Annotated[str | None, typer.Argument(help="One transform, for its parameters.")] = None, as_json: Json = False
) -> None:
    """List the transforms a recipe may use, or one transform's parameters.

    Example: `labelloom recipe steps Affine`
    """
    look_after.recipe_steps(name, as_json=as_json)


@app.command()
def recipes(as_json: Json = False) -> None:
    """List the recipes that can be named."""
    look_after.recipes(as_json=as_json)


@datasets_app.command("list")
def datasets_list(as_json: Json = False) -> None:
    """List the datasets made here, newest first."""
    look_after.datasets_list(as_json=as_json)


@datasets_app.command("rm")
def datasets_rm(
    dataset: Annotated[str | None, typer.Argument(help="A dataset's name or folder.")] = None,
    gone: Annotated[bool, typer.Option("--gone", help="Forget all datasets whose folder is gone.")] = False,
    with_project: Annotated[
        bool, typer.Option("--with-project", help="Also delete the Label Studio project written from it.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Delete a dataset that was made here.

    Example: `labelloom datasets rm street-default`
    """
    look_after.datasets_rm(dataset, gone=gone, with_project=with_project, yes=yes, as_json=as_json)


@app.command()
def demo(
    exit_: Annotated[bool, typer.Option("--exit", help="Stop everything when the result is shown.")] = False,
    port: Annotated[int, typer.Option("--port", help="Label Studio's port; a busy one is passed over.")] = 8080,
    as_json: Json = False,
) -> None:
    """Show the main job on real photographs: Label Studio, a labelled project, an augmented dataset and project."""
    label_studio.demo(port, stop=exit_, as_json=as_json)


@app.command()
def doctor(
    sources: Annotated[bool, typer.Option("--sources", help="Which image sources can be used, and why not.")] = False,
    as_json: Json = False,
) -> None:
    """Check the installation, the folders and Label Studio; name each failed check with its fix."""
    look_after.doctor(sources=sources, as_json=as_json)


def main() -> None:
    """Run the command line."""
    app()
