"""The main job on sample clips: made on the spot, uploaded, watched, shown, and checked."""
