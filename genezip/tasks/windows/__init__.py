"""Long windows with targets for their bins: contact maps, regulatory activity, Hi-C counts."""
