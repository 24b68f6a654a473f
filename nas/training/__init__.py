"""A graph and its recipe made trained weights. TensorFlow is imported here and in quantization."""
