"""Pictures on their way to an encoder, and the small ones beside the clip: poster, storyboard, hover preview."""
