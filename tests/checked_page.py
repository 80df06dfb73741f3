"""A page, held to be well-formed."""

import re
from html.parser import HTMLParser

VOID = {"meta", "link", "img", "wbr", "br", "input"}


class Checked(HTMLParser):
    """Holds every tag to be closed in order, and keeps what a page is looked through for."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.stack, self.tags, self.addresses, self.ids, self.text, self.painted = [], [], [], [], [], []
        self.feed(text)
        self.close()
        assert self.stack == []
        assert len(set(self.ids)) == len(self.ids), "an id twice"
        inside = {address[1:] for address in self.addresses if address.startswith("#")} | {*self.painted}
        assert inside <= {*self.ids}, "a reference to nothing"

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        values = dict(attrs)
        assert len(values) == len(attrs), "an attribute twice"
        self.addresses += [values[name] for name in ("src", "href", "action", "data", "srcset") if name in values]
        self.ids += [values["id"]] if "id" in values else []
        self.painted += re.findall(r"url\(#([^)]*)\)", " ".join(value for value in values.values() if value))
        assert not [name for name in values if name.startswith("on")], "a script in an attribute"
        if tag == "svg":
            assert values["role"] == "img"
            assert values["aria-label"]
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        self.text.append(data)
