"""A model over much DNA: held-out windows or any FASTA, to a table and tracks."""
