"""Decides what an upload is, by its bytes"""
