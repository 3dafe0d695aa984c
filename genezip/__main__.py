"""``python -m genezip``."""

from genezip.cli import program

if __name__ == "__main__":
    program()
