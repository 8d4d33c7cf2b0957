"""Speech to text"""
