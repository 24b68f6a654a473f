"""Enlarges a picture: python example.py MODEL.tflite IN.png OUT.png."""

import json
import sys
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

model, source, target = sys.argv[1:]
interpreter = Interpreter(model)
lr, hr = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
image = np.asarray(Image.open(source).convert("RGB"))
height, width = lr["shape_signature"][1:3]
if height < 0:  # the model takes any size that is a multiple of the step
    step = json.loads(Path(__file__).with_name("card.json").read_text())["multiple"]
    height, width = (-(-side // step) * step for side in image.shape[:2])
    interpreter.resize_tensor_input(lr["index"], (1, height, width, 3))
image = image[:height, :width]  # a model of fixed size takes no larger image
rows, columns = image.shape[:2]
image = np.pad(image, ((0, height - rows), (0, width - columns), (0, 0)), mode="edge")
black = np.iinfo(lr["dtype"]).min  # value of grey level 0: 0 in uint8, -128 in int8
interpreter.allocate_tensors()
interpreter.set_tensor(lr["index"], (image[np.newaxis] + np.int16(black)).astype(lr["dtype"]))
interpreter.invoke()
large = (interpreter.get_tensor(hr["index"])[0] - np.int16(black)).astype(np.uint8)
scale = large.shape[0] // height
Image.fromarray(large[: rows * scale, : columns * scale]).save(target)
