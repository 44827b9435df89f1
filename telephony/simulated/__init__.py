"""Twins of what is at the other end of the line: Asterisk, the telephone in a caller's hand, AMI."""
