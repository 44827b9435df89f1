"""The HTTP pages of one worker: what they take and give, who may come in, whether calls can be taken."""
