"""The seven region classes: ids, order of priority, colours.

Ids and priority follow GeneZip (arXiv 2602.17739, section 3): any base that belongs to
several classes gets the first of promoter > cds > utr > exon > intron > nig > dig.
"""

from typing import Final

CLASSES: Final = ("promoter", "cds", "utr", "exon", "intron", "nig", "dig")
CLASS_IDS: Final = {name: index for index, name in enumerate(CLASSES)}

# Groups of the enrichment metric (Eq. 17); intron counts as intergenic there.
GROUPS: Final = {
    "promoter": ("promoter",),
    "genic": ("cds", "utr", "exon"),
    "intergenic": ("intron", "nig", "dig"),
}

# One colour per class everywhere (BED itemRgb, figures, report): Okabe-Ito, safe for
# colour-blind readers, with greys for the two intergenic classes.
COLOURS: Final = {
    "promoter": "#D55E00",
    "cds": "#0072B2",
    "utr": "#56B4E9",
    "exon": "#009E73",
    "intron": "#E69F00",
    "nig": "#999999",
    "dig": "#4D4D4D",
}

LABELS: Final = {
    "promoter": "promoter",
    "cds": "CDS",
    "utr": "UTR",
    "exon": "non-coding exon",
    "intron": "intron",
    "nig": "near intergenic",
    "dig": "distal intergenic",
}


def item_rgb(name: str) -> str:
    """``R,G,B`` of a class colour, as BED9 wants it."""
    colour = COLOURS[name]
    return ",".join(str(int(colour[position : position + 2], 16)) for position in (1, 3, 5))
