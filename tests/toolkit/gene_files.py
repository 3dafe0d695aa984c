"""Small annotation files, and what is read from them, in the numbers of the file."""

from genezip.genome.gene_models import read_gene_models


def read_rows(folder, form, *rows, transcripts="all"):
    """Gene models of rows ``feature start end attributes [strand [chrom]]`` of a new file."""
    lines = []
    for feature, start, end, attributes, *more in rows:
        strand, chrom = (*more, *("+", "c")[len(more) :])
        lines.append(f"{chrom}\tx\t{feature}\t{start}\t{end}\t.\t{strand}\t.\t{attributes}\n")
    path = folder / f"genes.{form}"
    path.write_text("".join(lines))
    return read_gene_models(path, form, transcripts)


def spans(annotation):
    """(start, end) of every transcript, 1-based as in the file, in order of place."""
    table = annotation.transcripts
    return sorted((int(a) + 1, int(b)) for a, b in zip(table["start"], table["end"], strict=True))


def spans_of_exons(annotation):
    table = annotation.exons
    return sorted((int(a) + 1, int(b)) for a, b in zip(table["start"], table["end"], strict=True))


def ids(table):
    return sorted(table["transcript_id"])


def starts(annotation):
    """TSSs, 1-based."""
    return sorted(int(place) + 1 for place in annotation.tss()["position"])


def of(gene, transcript=""):
    return f'gene_id "{gene}"; ' + (f'transcript_id "{transcript}";' if transcript else "")


def bed(*fields):
    return "\t".join(map(str, fields)) + "\n"
