"""Corpora of captions: what they hold and what they can teach, in bounded memory."""
