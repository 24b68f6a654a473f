"""A network as an operator graph: its operators, shapes, TFLite form and INT8 scales."""
