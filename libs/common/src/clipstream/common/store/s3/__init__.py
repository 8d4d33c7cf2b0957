"""The store on an S3 API. No other package imports its client."""
