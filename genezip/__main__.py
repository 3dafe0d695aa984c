"""``python -m genezip``."""

from genezip.cli import main

if __name__ == "__main__":
    main()
