"""Makes the playable renditions"""
