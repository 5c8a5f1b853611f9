"""HLS out."""
