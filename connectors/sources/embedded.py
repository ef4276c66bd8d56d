"""What an image file itself says of its owner: XMP and IPTC, read from its header without decoding a pixel."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lxml.etree import _Element

_WEB_STATEMENT = "{http://ns.adobe.com/xap/1.0/rights/}WebStatement"
_CREDIT = "{http://ns.adobe.com/photoshop/1.0/}Credit"
_RIGHTS = "{http://purl.org/dc/elements/1.1/}rights"
_CREATOR = "{http://purl.org/dc/elements/1.1/}creator"
_LONGEST = 500  # characters of a text


@dataclass(frozen=True, slots=True)
class Embedded:
    """rights: the copyright notice. statement: address of the rights' text. credit: whom to name."""

    rights: str | None = None
    statement: str | None = None
    credit: str | None = None


def embedded(path: Path) -> Embedded:
    """Return what a file says of its owner; nothing where it says nothing or cannot be read."""
    from PIL import Image, IptcImagePlugin

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
                iptc = IptcImagePlugin.getiptcinfo(image) or {}
    except Exception:  # noqa: BLE001 - whatever is wrong with the file is found when it is read as an image
        return Embedded()
    found = _of_xmp(xmp)
    return Embedded(
        rights=found.rights or _iptc(iptc, 116),
        statement=found.statement,
        credit=found.credit or _iptc(iptc, 110) or _iptc(iptc, 80),
    )


def _of_xmp(xmp: object) -> Embedded:
    from lxml import etree

    data = xmp.encode() if isinstance(xmp, str) else xmp
    if not isinstance(data, bytes) or not data.strip(b"\0 \n"):
        return Embedded()
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False, load_dtd=False, recover=True)
    try:
        root = etree.fromstring(data.strip(b"\0 \n"), parser)
    except (etree.XMLSyntaxError, ValueError):
        return Embedded()
    if root is None:
        return Embedded()
    return Embedded(_text(root, _RIGHTS), _text(root, _WEB_STATEMENT), _text(root, _CREDIT) or _text(root, _CREATOR))


def _text(root: "_Element", name: str) -> str | None:
    """Return a property's text: an element's, a list entry's within it, or an attribute of the description."""
    for node in root.iter("*"):
        text = " ".join("".join(map(str, node.itertext())).split()) if node.tag == name else str(node.get(name) or "")
        if text:
            return text[:_LONGEST]
    return None


def _iptc(fields: dict[Any, Any], number: int) -> str | None:
    value = fields.get((2, number))
    value = value[0] if isinstance(value, list) and value else value
    return value.decode("utf-8", "replace").strip()[:_LONGEST] or None if isinstance(value, bytes) else None
