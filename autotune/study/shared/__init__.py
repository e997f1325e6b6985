"""One study that several processes work at, on one host or on many, through a database."""
