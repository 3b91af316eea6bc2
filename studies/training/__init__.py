"""One model, or a pack of them, trained on resident data.

Empty on purpose: whoever needs one step need not load them all.
"""
