"""Schemes that are broken on purpose, each with the checks that it fails."""

BROKEN = []


def breaks(*names):
    def mark(scheme):
        scheme.variants = ()
        BROKEN.extend((scheme, name) for name in names)
        return scheme

    return mark
