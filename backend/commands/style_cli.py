"""The arguments of the commands of style transfer."""

from pathlib import Path
from typing import Annotated

import typer

from backend.commands import style, style_fetch, style_train_cli

CODES = (
    "Exit codes: 0 done; 1 not finished, or nothing to do; 2 arguments, settings or styles invalid, nothing touched; "
    "3 finished, but some pictures were left out, each named with its reason; "
    "130 interrupted, run it again to resume."
)

app = typer.Typer()
style_app = typer.Typer(no_args_is_help=True, help="Styles: list, add, remove, look at, and measure engines.")
app.add_typer(style_train_cli.app)
app.add_typer(style_app, name="style")
style_app.command("check", epilog=style_train_cli.CODES)(style_train_cli.check)
style_app.command("fetch", epilog=CODES)(style_fetch.fetch)

Json = Annotated[bool, typer.Option("--json", help="Print one machine-readable object on stdout.")]
Contents = Annotated[list[Path], typer.Argument(help="Pictures, folders of them, or a labelled dataset's folder.")]
Styles = Annotated[
    list[str],
    typer.Option("--style", "-s", help="A picture, a folder of them, or a name of `labelloom style list`; repeatable."),
]
Engine = Annotated[str, typer.Option("--engine", "-e", help="compact, vgg or magenta.")]
Detail = Annotated[float, typer.Option("--detail", help="0 paints broadly, 1 keeps fine outlines.")]
Sheet = Annotated[Path, typer.Option("--out", "-o", help="The sheet: a .png, .jpg or .webp file.")]


@app.command(epilog=CODES)
def stylize(  # noqa: PLR0913 - each is an option of its own
    content: Contents,
    styles: Styles,
    alpha: Annotated[str, typer.Option("--alpha", "-a", help="Strength 0 to 1, or a range as 0.3-0.8.")] = "0.6",
    alpha_objects: Annotated[
        float | None, typer.Option("--alpha-objects", help="Another strength inside the labels' regions; 0 keeps them.")
    ] = None,
    feather: Annotated[float, typer.Option("--feather", help="Pixels over which the two go into one another.")] = 8.0,
    detail: Detail = 1.0,
    keep_color: Annotated[bool, typer.Option("--keep-color", help="Take the style's light, not its colours.")] = False,
    engine: Engine = "compact",
    folder: Annotated[
        str | None, typer.Option("--engine-folder", help="A compact engine of your own, as train-style wrote it.")
    ] = None,
    variants: Annotated[int, typer.Option("--variants", "-n", min=1, max=1000, help="Pictures per content.")] = 1,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same pictures.")] = 0,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder that gets the result's folder.")] = None,
    name: Annotated[str, typer.Option("--name", help="The result's name.")] = "stylized",
    formats: Annotated[
        list[str] | None,
        typer.Option("--format", "-f", help="As `augment` has them; default: the input's, or folders."),
    ] = None,
    image: Annotated[str, typer.Option("--image", help="jpeg or png.")] = "jpeg",
    quality: Annotated[int, typer.Option("--quality", min=1, max=100, help="Of JPEG.")] = 95,
    workers: Annotated[int | None, typer.Option("--workers", "-w", min=1, help="Default: one per processor.")] = None,
    write_back: Annotated[
        str | None, typer.Option("--write-back", help="Also make a Label Studio project of this title.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace another result of the same name.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be written.")] = False,
    as_json: Json = False,
) -> None:
    """Paint pictures in the style of others; nothing in them moves, so a dataset's labels stay true.

    Example: `labelloom stylize photos/ --style made/impasto --style monet.jpg --alpha 0.3-0.8 --out painted/`

    Example: `labelloom stylize raccoons/ --style paintings/ --alpha 0.9 --alpha-objects 0.2 --out painted/`
    """
    look = {"styles": tuple(styles), "engine": engine, "alpha": alpha, "alpha_objects": alpha_objects}
    look |= {
        "feather": feather,
        "detail": detail,
        "keep_color": keep_color,
        "variants": variants,
        "seed": seed,
        "folder": folder,
    }
    how = {"out": out, "name": name, "formats": tuple(formats or ()), "workers": workers, "overwrite": overwrite}
    how |= {"dry_run": dry_run, "image": image, "quality": quality}
    style.stylize(content, look, how, write_back, as_json=as_json)


@style_app.command("list")
def list_(as_json: Json = False) -> None:
    """List the styles: those you added, and those that LabelLoom makes itself; and the engines."""
    style.styles_list(as_json=as_json)


@style_app.command(epilog=CODES)
def add(
    files: Annotated[list[Path], typer.Argument(help="Pictures.")],
    name: Annotated[str | None, typer.Option("--name", help="What it is called; default: the file's name.")] = None,
    as_json: Json = False,
) -> None:
    """Add pictures to the library of styles.

    Example: `labelloom style add monet.jpg --name water-lilies`
    """
    style.style_add(files, name, as_json=as_json)


@style_app.command(epilog=CODES)
def remove(
    name: Annotated[str, typer.Argument(help="The style, as `labelloom style list` shows it.")], as_json: Json = False
) -> None:
    """Remove a style from the library; datasets made with it can still be rebuilt."""
    style.style_remove(name, as_json=as_json)


@style_app.command(epilog=CODES)
def sweep(
    content: Annotated[Path, typer.Argument(help="A picture.")],
    styles: Styles,
    out: Sheet,
    engine: Engine = "compact",
    detail: Detail = 1.0,
    as_json: Json = False,
) -> None:
    """Show one picture at strengths from 0 to 1.

    Example: `labelloom style sweep photo.jpg --style made/impasto -o sweep.png`
    """
    look = {"styles": tuple(styles), "engine": engine, "detail": detail}
    style.sheet("sweep", [content], look, out, as_json=as_json)


@style_app.command(epilog=CODES)
def matrix(  # noqa: PLR0913 - each is an option of its own
    content: Contents,
    styles: Styles,
    out: Sheet,
    engine: Engine = "compact",
    alpha: Annotated[float, typer.Option("--alpha", "-a", help="Strength 0 to 1.")] = 0.8,
    detail: Detail = 1.0,
    as_json: Json = False,
) -> None:
    """Show pictures in styles, at most 12 by 12.

    Example: `labelloom style matrix photos/ --style made -o matrix.jpg`
    """
    look = {"styles": tuple(styles), "engine": engine, "detail": detail, "alpha": alpha}
    style.sheet("matrix", content, look, out, as_json=as_json)
