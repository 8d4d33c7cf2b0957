"""Makes clips playable: the source itself at once, then the ladder"""
