"""The process that stays up: one worker with its pages, or a crew of them on one machine."""
