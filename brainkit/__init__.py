"""brainkit: brain-like convolutional nets, their adversaries and their manifolds."""
