"""Training of networks. Only this package and nas.quantization import TensorFlow."""
