"""Methods: one paper a file. They see protocols, never a model's library, and never import each other."""
