"""A page, held to be well-formed."""

from html.parser import HTMLParser

VOID = {"meta", "link", "img", "wbr", "br", "input"}


class Checked(HTMLParser):
    """Holds every tag to be closed in order, and keeps what a page is looked through for."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.stack, self.tags, self.addresses, self.ids, self.text = [], [], [], [], []
        self.feed(text)
        self.close()
        assert self.stack == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        values = dict(attrs)
        assert len(values) == len(attrs), "an attribute twice"
        self.addresses += [values[name] for name in ("src", "href", "action", "data", "srcset") if name in values]
        self.ids += [values["id"]] if "id" in values else []
        if tag == "img":
            assert values["alt"]
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        self.text.append(data)
