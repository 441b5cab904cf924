"""What the commands of `wirebook` do; `feeds.cli` says how they are called."""
