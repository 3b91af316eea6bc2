"""A trained arm as a folder that other programs load: its weights in their format, and a model card."""
