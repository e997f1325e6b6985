"""The other house: the process that holds torch, does one job and reports on a pipe."""
