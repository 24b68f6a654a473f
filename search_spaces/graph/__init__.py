"""Networks as operator graphs: operators, shapes, lowering to TFLite and INT8 scales."""
