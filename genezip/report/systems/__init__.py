"""Claims about the other systems, one module each, with the first sentence of their page."""
