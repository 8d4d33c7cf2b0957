"""What makes a function a stage: its spec, its context, the runner, and the cage untrusted media is decoded in."""
