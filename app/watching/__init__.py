"""Those who are told what happens on calls, and keep, count, announce or do something about it."""
