"""The smaller commands of the command line, one file per concern; they print, and return an exit status."""
