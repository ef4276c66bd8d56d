"""Licence names of every spelling, and nothing taken for free that was not understood."""

import pytest

from connectors.sources.base import License
from connectors.sources.licenses import SHORT, allowed, make_license, short_of, spdx_of

BASE = "https://creativecommons.org"


@pytest.mark.parametrize(
    ("text", "version", "spdx"),
    [
        ("by", "4.0", "CC-BY-4.0"),
        ("by-nc-nd", "2.0", "CC-BY-NC-ND-2.0"),
        ("cc0", "1.0", "CC0-1.0"),
        ("pdm", "1.0", "CC-PDM-1.0"),
        ("CC BY-SA 4.0", None, "CC-BY-SA-4.0"),
        ("cc-by-sa-4.0", None, "CC-BY-SA-4.0"),
        ("CC-BY-SA-4.0", None, "CC-BY-SA-4.0"),
        ("CC BY NC SA 3.0", None, "CC-BY-NC-SA-3.0"),
        ("cc-by-sa-3.0,2.5,2.0,1.0", None, "CC-BY-SA-3.0"),
        ("CC BY-SA 3.0 de", None, "CC-BY-SA-3.0-DE"),
        ("CC BY 2.0 kr", None, "LicenseRef-CC-BY-2.0-KR"),
        ("CC0 1.0", None, "CC0-1.0"),
        ("Public domain", None, "LicenseRef-PublicDomain"),
        (f"{BASE}/licenses/by-nc/2.5/", None, "CC-BY-NC-2.5"),
        (f"{BASE}/licenses/by-nd-nc/1.0", None, "CC-BY-NC-ND-1.0"),
        ("http://www.creativecommons.org/licenses/by-sa/3.0/de/deed.en", None, "CC-BY-SA-3.0-DE"),
        ("//creativecommons.org/licenses/by/4.0/legalcode", None, "CC-BY-4.0"),
        (f"{BASE}/licenses/by/4.0/deed.ko", None, "CC-BY-4.0"),
        (f"{BASE}/publicdomain/zero/1.0/", None, "CC0-1.0"),
        (f"{BASE}/publicdomain/mark/1.0/", None, "CC-PDM-1.0"),
        ("GFDL", None, "GFDL-1.2-or-later"),
        ("by", None, None),
        ("by-sa-nd", "4.0", None),
        ("stand by 4.0", None, None),
        ("All rights reserved", None, None),
        ("free", None, None),
        ("https://example.org/creativecommons.org/licenses/by/4.0/", None, None),
        ("", None, None),
        (None, None, None),
    ],
)
def test_names_become_ids(text, version, spdx):
    assert spdx_of(text, version) == spdx


@pytest.mark.parametrize("short", SHORT)
def test_short_names_come_back(short):
    assert short_of(spdx_of(short, "2.0")) == short


def test_ports_and_other_licences_have_short_names_too():
    assert short_of("CC-BY-SA-3.0-DE") == "by-sa" and short_of("LicenseRef-CC-BY-2.0-KR") == "by"
    assert short_of("LicenseRef-PublicDomain") == "pdm"
    assert short_of("GFDL-1.2-only") == "gfdl-1.2-only" and short_of(None) == "unknown"


def test_unknown_passes_no_filter_but_its_own():
    assert not allowed(License(), {"by", "cc0"}) and allowed(License(), ()) and allowed(License(), {"unknown"})
    assert not allowed(License(spdx="CC-BY-NC-4.0"), {"by"}) and allowed(License(spdx="CC-BY-2.0"), {"by"})


def test_an_unread_licence_keeps_its_words():
    found = make_license("Custom terms", None, "https://example.org/terms", "api")
    assert (found.raw, found.spdx, found.confidence) == ("Custom terms", None, "api")
    assert make_license(None, None, None, "api") == License()
