"""The meter: how much memory a worker uses, per kind of device."""
