"""The object store over HTTP, and small pictures of its images"""
