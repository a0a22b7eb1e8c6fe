"""The service over a long time, with cameras that come, hang and vanish: `make soak`."""
