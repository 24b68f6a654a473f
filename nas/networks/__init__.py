"""From a graph to trained weights, an INT8 file, enlarged images. TensorFlow is at home here."""
