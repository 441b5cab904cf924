"""A venue that runs on this machine: a simulated market, recorded traffic, and the server that speaks for both."""
