"""Finds clips that are already there"""
