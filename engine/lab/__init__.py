"""Fair comparisons: methods at equal coherence, judged, with intervals (engine/README.md, section 6)."""
