"""Indexes what was said and seen, and answers"""
