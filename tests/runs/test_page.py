import io
from html.parser import HTMLParser

import pytest
from PIL import Image

from saddlepoint.errors import InputError
from saddlepoint.runs.html_page import Code, Page, Picture, Section, Table, render

pytestmark = pytest.mark.usefixtures("quick_looks")

HOSTILE = (
    '<script>alert("1")</script><img src=https://example.org/x onerror=alert(2)> & \' " {{ 7 * 7 }} {% raw %}'
)


def png(width=40, height=20, dpi=None):
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "white").save(buffer, "PNG", **({"dpi": (dpi, dpi)} if dpi else {}))
    return buffer.getvalue()


def full_page(word="a word"):
    section = Section(
        heading=word,
        paragraphs=[word, "second"],
        tables=[Table(rows=[(word, word), ("seed", "0")], caption=word)],
        figures=[Picture(png=png(), alt=word, caption=word), Picture(png=png(4000, 20), alt=word)],
        codes=[Code(text=word + "\n  indented", caption=word)],
    )
    return Page(title=word, lead=word, sections=[section] * 4, footer=word)


class Reader(HTMLParser):
    """Collects tags with their attributes, the text in each, and checks that tags are closed in order."""

    VOID = frozenset(("meta", "img", "link", "br", "input"))

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.tags, self.text, self.open, self.headings = [], [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag in ("h1", "h2", "h3"):
            self.headings.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)

    def all(self, name):
        return [attributes for tag, attributes in self.tags if tag == name]


def test_a_full_page_is_well_formed_accessible_and_asks_for_nothing_from_outside():
    html = render(full_page())
    page = Reader(html)
    assert page.open == []
    assert html.startswith("<!doctype html>")
    assert page.all("html") == [{"lang": "en"}]
    assert page.headings == ["h1"] + ["h2"] * 4
    assert all(image["alt"] and image["width"] and image["height"] for image in page.all("img"))
    assert all(image["src"].startswith("data:image/png;base64,") for image in page.all("img"))
    assert not {"script", "link", "iframe", "object", "base", "form"} & {tag for tag, _ in page.tags}
    for _, attributes in page.tags:
        for name, value in attributes.items():
            if name in ("src", "href", "action", "srcset", "data", "poster", "background"):
                assert value.startswith(("data:", "#"))
            assert not name.startswith("on")
    assert "url(" not in html
    assert "@import" not in html
    assert "//" not in html.replace("data:image/png;base64,", "").split("</style>")[0]
    targets = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert {link["href"][1:] for link in page.all("a")} <= targets
    assert len([a for _, a in page.tags if "id" in a]) == len(targets)
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html


def test_hostile_words_stay_words_everywhere():
    calm, hostile = Reader(render(full_page())), Reader(render(full_page(HOSTILE)))
    assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in calm.tags]
    assert [sorted(a) for _, a in hostile.tags] == [sorted(a) for _, a in calm.tags]
    assert "".join(hostile.text) == "".join(calm.text).replace("a word", HOSTILE)
    assert {image["alt"] for image in hostile.all("img")} == {HOSTILE}


def test_the_picture_comes_back_as_it_went_in_at_its_natural_size():
    import base64

    content = png(384, 192, dpi=192)
    picture = Picture(png=content, alt="x")
    assert picture.size == (192, 96)
    assert Picture(png=png(), alt="x").size == (40, 20)
    html = render(Page(title="t", lead="l", sections=[Section(heading="h", figures=[picture])]))
    (image,) = Reader(html).all("img")
    assert base64.b64decode(image["src"].split(",", 1)[1]) == content
    assert (image["width"], image["height"]) == ("192", "96")


def test_what_is_not_given_is_not_there_and_the_same_page_gives_the_same_text():
    page = Page(title="t", lead="l", sections=[Section(heading="h")])
    html = render(page)
    assert render(page) == html
    tags = {tag for tag, _ in Reader(html).tags}
    assert not tags & {"table", "figure", "pre", "nav", "footer"}
    assert len(html.encode()) < 8000
    assert 'lang="fr"' in render(Page(title="t", lead="l", language="fr"))


def test_code_keeps_its_lines():
    html = render(
        Page(title="t", lead="l", sections=[Section(heading="h", codes=[Code(text="a\n  b\n\nc")])])
    )
    assert "<code>a\n  b\n\nc</code>" in html


def test_pictures_that_cannot_be_shown_are_refused():
    with pytest.raises(InputError, match=r"PNG .*b'GIF89a'"):
        Picture(png=b"GIF89a", alt="x")
    with pytest.raises(InputError, match="needs alt text"):
        Picture(png=png(), alt=" ")
    damaged = Picture(png=png()[:20], alt="my figure")
    with pytest.raises(InputError, match="'my figure' of a page is a damaged PNG"):
        render(Page(title="t", lead="l", sections=[Section(heading="h", figures=[damaged])]))
