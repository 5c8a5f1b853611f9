"""RTMP in."""
