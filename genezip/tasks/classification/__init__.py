"""One class per sequence: regulatory elements and any labelled set of sequences."""
