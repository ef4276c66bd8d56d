"""The command that fetches weights: style fetch."""

from typing import TYPE_CHECKING, Annotated

import typer

from backend.commands.terminal import Outcome, TerminalProgress, run

if TYPE_CHECKING:
    from backend.settings import Settings


def fetch(
    encoder_url: Annotated[str | None, typer.Option("--encoder-url", help="Where vgg_normalised.pth lies.")] = None,
    decoder_url: Annotated[str | None, typer.Option("--decoder-url", help="Where decoder.pth lies.")] = None,
    encoder_sha256: Annotated[str | None, typer.Option("--encoder-sha256", help="What it must be.")] = None,
    decoder_sha256: Annotated[str | None, typer.Option("--decoder-sha256", help="What it must be.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Also what is there already.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one machine-readable object on stdout.")] = False,
) -> None:
    """Fetch the weights of the engine vgg, 94 MB; interrupted, run it again to go on. compact needs none.

    Example: `labelloom style fetch`

    Example: `labelloom style fetch --decoder-url https://example.org/ink.pth`
    """
    asked = (("encoder", encoder_url, encoder_sha256), ("decoder", decoder_url, decoder_sha256))

    def work(settings: "Settings", progress: TerminalProgress) -> Outcome:
        from backend.flows.style.fetch import Wanted, fetch_weights

        found = fetch_weights([Wanted(*one) for one in asked], settings, progress, again=again)
        lines = [f"{'fetched' if one.new else 'there':<11} {one.path} (sha256 {one.sha256})" for one in found]
        warnings = [
            f"nobody vouches for {one.path.name}: its sha256 is the one first seen. Compare it with one you trust"
            for one in found
            if one.seen
        ]
        files = [{"path": str(one.path), "url": one.url, "sha256": one.sha256, "first_seen": one.seen} for one in found]
        counts = {"fetched": sum(one.new for one in found)}
        return Outcome(lines, str(settings.style_weights_dir), counts, [], warnings, more={"files": files})

    run("style fetch", work, as_json=as_json)
