"""Vectors of what is to be seen"""
