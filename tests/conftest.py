"""Fixtures that tests of more than one kind use."""

pytest_plugins = ["fixtures.minio", "fixtures.postgres"]
