"""Commands for your own DNA: a module per command, each used with a trained model."""
