"""HLS playlists and the DASH manifest, as text."""
