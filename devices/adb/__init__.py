"""Android's debug bridge: the binary, its server, and what its complaints mean."""
