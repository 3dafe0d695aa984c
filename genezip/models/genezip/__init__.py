"""GeneZip as a compressor, and the import of its published weights."""
