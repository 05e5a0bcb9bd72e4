"""Fair comparisons: methods at equal coherence, judged, with error bars (METHOD.md section 5)."""
