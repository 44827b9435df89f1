"""What outlives a turn and is shared by calls and workers: breakers, limits, events, what is kept how long.

The lowest floor of the house: it imports nothing of ours. Every part has an in-process twin, so that one
worker runs without Redis.
"""
