from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latency_models import LatencyError
from latency_models.tflite.requests import (
    Levels,
    TfliteModel,
    TfliteOperator,
    TfliteTensor,
    operators_of,
    operators_of_model,
    read_tflite,
    request_of_file,
    require_integer_only,
    require_same_operators,
    require_super_resolution,
)
from search_spaces import InputError, InputSpec, LoweredOperator

from .models import GRAPHS, SMALL, Models


def figures(operator: LoweredOperator) -> tuple[object, ...]:
    names = ("kind", "macs", "window", "stride", "groups", "weight_bytes")
    shapes = tuple(tensor.shape for tensor in operator.inputs + operator.outputs)
    return (*(getattr(operator, name) for name in names), shapes)


@pytest.fixture(scope="module")
def data(models: Models) -> bytes:
    return models.tflite(GRAPHS["tiny"]())


class TestDamage:
    @staticmethod
    def check(data: bytes) -> None:
        """Reads or refuses in one line; nothing else."""
        message = ""
        try:
            request_of_file("damaged", data)
            require_integer_only(read_tflite(data))
            require_super_resolution(read_tflite(data))
        except InputError as error:
            message = str(error)
        assert "\n" not in message

    @given(st.data())
    def test_truncated(self, data: bytes, draw: st.DataObject) -> None:
        self.check(data[: draw.draw(st.integers(0, len(data)))])

    @settings(max_examples=300)
    @given(st.data())
    def test_words_replaced(self, data: bytes, draw: st.DataObject) -> None:
        damaged = bytearray(data)
        word = st.integers(0, 64) | st.integers(0, 2**32 - 1)
        place = st.integers(0, len(data) // 4 - 1)
        for index, value in draw.draw(st.lists(st.tuples(place, word), min_size=1, max_size=8)):
            struct.pack_into("<I", damaged, 4 * index, value)
        self.check(bytes(damaged))

    @given(st.binary(max_size=300))
    def test_noise_behind_a_good_header(self, noise: bytes) -> None:
        self.check(b"\x10\0\0\0TFL3" + noise)

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"", "is empty"),
            (b"garbage" * 9, "not a TFLite file: bytes 4 to 8"),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "`git lfs pull`"),
            (b"/annex/objects/SHA256E-s1--0.tflite\n", "`git annex get`"),
            (b"<!DOCTYPE html>\n<html>", "a web page"),
            (b"PK\x03\x04 a zip archive", "a zip archive"),
            (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
            (b"\x1f\x8b\x08\0", "a gzip archive"),
            (b"\x08\0\0\0TFL3", "is damaged"),
        ],
    )
    def test_message_says_what_it_is(self, data: bytes, message: str) -> None:
        with pytest.raises(InputError, match=message):
            operators_of(data)


IMAGE = TfliteTensor("image", (1, 8, 8, 3), "int8", (1.0,), (-128,), constant=False, dynamic=False)
PIXELS = replace(IMAGE, name="pixels", shape=(1, 16, 16, 3))
KERNEL = TfliteTensor("kernel", (3, 3, 3, 3), "int8", (0.1,), (0,), constant=True, dynamic=False)


def model_of(
    image: TfliteTensor = IMAGE, pixels: TfliteTensor = PIXELS, kernel: TfliteTensor = KERNEL
) -> TfliteModel:
    return TfliteModel(
        (image,), (pixels,), (TfliteOperator("CONV_2D", (image, kernel, None), (pixels,)),)
    )


def of_kind(kind: str) -> TfliteModel:
    return TfliteModel((IMAGE,), (PIXELS,), (TfliteOperator(kind, (IMAGE,), (PIXELS,)),))


class TestIntegerOnly:
    def test_good(self) -> None:
        require_integer_only(model_of())

    @pytest.mark.parametrize(
        ("model", "message"),
        [
            (model_of(replace(IMAGE, dtype="float32")), r"CONV_2D 'pixels' uses float32 .*'image'"),
            (model_of(kernel=replace(KERNEL, dtype="float16")), r"float16 tensor 'kernel'"),
            (
                model_of(replace(IMAGE, dtype="int16")),
                r"INT8: CONV_2D 'pixels' uses int16",
            ),
            (of_kind("CUSTOM:ethos-u"), "compiled by Vela, for an Arm Ethos-U .* compiled from"),
            (of_kind("CUSTOM:edgetpu-custom-op"), "compiled by the Edge TPU's compiler"),
            (model_of(pixels=replace(PIXELS, scales=())), r"'pixels' without a scale"),
        ],
    )
    def test_names_operator_and_tensor(self, model: TfliteModel, message: str) -> None:
        with pytest.raises(InputError, match=message):
            require_integer_only(model)


class TestSuperResolution:
    def test_uint8(self) -> None:
        ends = (replace(t, dtype="uint8", zero_points=(0,)) for t in (IMAGE, PIXELS))
        found = require_super_resolution(model_of(*ends))
        assert (found.input, found.scale, found.levels) == (InputSpec(8, 8), 2, Levels("uint8", 0))

    @pytest.mark.parametrize(
        ("model", "message"),
        [
            (replace(model_of(), inputs=()), "has 0 inputs"),
            (replace(model_of(), inputs=(IMAGE, IMAGE)), "has 2 inputs"),
            (replace(model_of(), outputs=(PIXELS, PIXELS)), "has 2 outputs"),
            (model_of(replace(IMAGE, shape=(1, 8, 8, 1))), "'image' .*one channel, grey or Y"),
            (model_of(replace(IMAGE, shape=(1, 3, 8, 8))), "'image' .*channels first"),
            (
                model_of(replace(IMAGE, scales=(2 / 255,), zero_points=(0,))),
                r"zero points \(0,\), the range -1.004 to 0.9961; grey levels begin at 0",
            ),
            (model_of(replace(IMAGE, shape=(2, 8, 8, 3))), r"shape \(2, 8, 8, 3\)"),
            (
                model_of(replace(IMAGE, dynamic=True, signature=(1, -1, -1, 3))),
                r"open shape \(1, \?, \?, 3\)",
            ),
            (
                model_of(pixels=replace(PIXELS, shape=(1, 16, 16, 4))),
                "4 channels, not the 3 of RGB",
            ),
            (model_of(pixels=replace(PIXELS, shape=(1, 16, 24, 3))), "8x8 image becomes 16x24"),
            (model_of(pixels=replace(PIXELS, shape=(1, 768))), r"shape \(1, 768\)"),
            (model_of(pixels=replace(PIXELS, dtype="int16")), "is int16"),
            (model_of(pixels=replace(PIXELS, zero_points=(-127,))), r"zero points \(-127,\)"),
            (model_of(pixels=replace(PIXELS, scales=(0.0,))), "needs a positive one"),
            (model_of(pixels=replace(PIXELS, scales=(1.1,))), "a level does not stay a level"),
            (
                model_of(pixels=replace(PIXELS, dtype="uint8", zero_points=(0,))),
                "input is int8 and output uint8",
            ),
        ],
    )
    def test_says_what_is_wrong(self, model: TfliteModel, message: str) -> None:
        with pytest.raises(InputError, match=message):
            require_super_resolution(model)


class TestKernels:
    def test_unknown_operator_is_kept(self) -> None:
        operator = TfliteOperator("CUSTOM:Magic", (IMAGE,), (PIXELS,))
        (lowered,) = operators_of_model(TfliteModel((IMAGE,), (PIXELS,), (operator,)))
        assert (lowered.kind, lowered.macs, lowered.bytes_moved) == ("CUSTOM:Magic", 0, 192 + 768)

    def test_shape_of_any_rank_keeps_its_size(self) -> None:
        tensors = [replace(IMAGE, shape=shape) for shape in ((), (5,), (2, 5), (1, 4, 2, 3, 2, 5))]
        operator = TfliteOperator("ADD", (), tuple(tensors))
        (lowered,) = operators_of_model(TfliteModel((), (), (operator,)))
        assert [t.shape for t in lowered.outputs] == [
            (1, 1, 1), (1, 1, 5), (1, 2, 5), (24, 2, 5),
        ]  # fmt: skip

    def test_weights_of_wrong_rank_are_refused(self) -> None:
        with pytest.raises(InputError, match=r"CONV_2D 'pixels': its weights are of shape \(9,\)"):
            operators_of_model(model_of(kernel=replace(KERNEL, shape=(9,))))

    def test_operator_that_makes_nothing_is_refused(self) -> None:
        operator = TfliteOperator("ASSIGN_VARIABLE", (IMAGE,), ())
        with pytest.raises(InputError, match="ASSIGN_VARIABLE has no output") as caught:
            operators_of_model(TfliteModel((IMAGE,), (), (operator,)))
        assert "\n" not in str(caught.value)

    def test_open_size_is_refused(self) -> None:
        with pytest.raises(InputError, match="static size"):
            operators_of_model(model_of(pixels=replace(PIXELS, dynamic=True)))


class TestRequest:
    def test_of_file_equals_that_of_its_graph(self, models: Models) -> None:
        request = models.request(GRAPHS["tiny"]())
        read = request_of_file("tiny.tflite", request.make_tflite(), SMALL)
        assert (read.name, read.input) == ("tiny.tflite", SMALL)
        assert list(map(figures, read.operators)) == list(map(figures, request.operators))
        assert read.make_tflite() == request.make_tflite()

    def test_of_file_at_another_size_is_refused(self, models: Models) -> None:
        data = models.tflite(GRAPHS["tiny"]())
        with pytest.raises(InputError, match="takes 64x96 images only, not 360x640"):
            request_of_file("tiny.tflite", data, InputSpec(360, 640))

    def test_operator_beyond_the_graph_is_named(self, models: Models) -> None:
        request = models.request(GRAPHS["tiny"]())
        model = read_tflite(request.make_tflite())
        shorter = replace(request, operators=request.operators[:-1])
        with pytest.raises(LatencyError, match=r"file runs .* DEPTH_TO_SPACE, its graph"):
            require_same_operators(shorter, model)
