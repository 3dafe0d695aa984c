"""Where tokens begin: learned routers, bounds, chunking, and routers that learn nothing."""
