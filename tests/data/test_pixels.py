"""An image is read as Pillow shows it, whatever its format and mode, and resized as TensorFlow does it; or refused."""

import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from image_folders import draw, spec
from PIL import Image

from regsearch import data as datasets
from regsearch.data import pixels
from regsearch.errors import DatasetError

COUNT, SIZE = 20, (12, 10)


def random(*shape, top=256, kind=np.uint8, seed=0):
    return np.random.default_rng(seed).integers(0, top, shape).astype(kind)


def colours(seed):
    """A smooth image, so that palettes and JPEG have something to do."""
    return Image.fromarray(random(4, 4, 3, seed=seed)).resize(SIZE[::-1], Image.Resampling.BICUBIC)


def with_alpha(image, seed):
    image = image.copy()
    image.putalpha(Image.fromarray(random(*SIZE, seed=seed + 100)))
    return image


def encode(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def png(values, bits, colour, interlaced=False):
    """A PNG of any number of bits, which Pillow does not write: values (height, width, channels)."""
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    rows = [
        row
        for top, left, down, across in (passes if interlaced else [(0, 0, 1, 1)])
        for row in values[top::down, left::across]
        if row.size
    ]
    lines = []
    for row in rows:
        text = "".join(format(value, f"0{bits}b") for value in row.ravel().tolist())
        text += "0" * (-len(text) % 8)
        lines.append(b"\0" + int(text, 2).to_bytes(len(text) // 8, "big"))
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], bits, colour, 0, 0, interlaced)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"".join(lines))), (b"IEND", b"")]
    parts = (struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def rle_bmp(seed):
    """A BMP of 8 bits with a palette, packed by run length."""
    row = b"".join(bytes([1, value]) for value in random(SIZE[1], top=4, seed=seed).tolist()) + b"\0\0"
    body, palette = row * SIZE[0] + b"\0\1", random(4, 4, seed=seed).tobytes()
    header = struct.pack("<IiiHHIIiiII", 40, SIZE[1], SIZE[0], 1, 8, 1, len(body), 0, 0, 4, 0)
    return struct.pack("<2sIHHI", b"BM", 70 + len(body), 0, 0, 70) + header + palette + body


def bmp_565(seed):
    """A BMP of 16 bits a pixel."""
    body = random(SIZE[0], SIZE[1], top=65536, kind="<u2", seed=seed).tobytes()
    header = struct.pack("<IiiHHIIiiII3I", 40, SIZE[1], SIZE[0], 1, 16, 3, len(body), 0, 0, 0, 0, 0xF800, 0x7E0, 0x1F)
    return struct.pack("<2sIHHI", b"BM", 66 + len(body), 0, 0, 66) + header + body


def small_frame(seed):
    """A GIF whose first frame is smaller than the image."""
    content = bytearray(encode(colours(seed).quantize(16), "GIF"))
    content[6:10] = struct.pack("<HH", 14, 16)
    return bytes(content)


def quantized(number, seed=0):
    return colours(seed).quantize(number)


KINDS = {
    "png of 1 bit": lambda seed: encode(colours(seed).convert("1"), "PNG"),
    "png of 1 bit of grey": lambda seed: png(random(*SIZE, 1, top=2, seed=seed), 1, 0),
    "png of 2 bits of grey": lambda seed: png(random(*SIZE, 1, top=4, seed=seed), 2, 0),
    "png of 4 bits of grey": lambda seed: png(random(*SIZE, 1, top=16, seed=seed), 4, 0),
    "png of grey": lambda seed: encode(colours(seed).convert("L"), "PNG"),
    "png of grey with a transparent one": lambda seed: encode(colours(seed).convert("L"), "PNG", transparency=5),
    "png of grey and alpha": lambda seed: encode(with_alpha(colours(seed).convert("L"), seed), "PNG"),
    "png with a palette": lambda seed: encode(quantized(256, seed), "PNG"),
    "png with a palette of 4 bits": lambda seed: encode(quantized(16, seed), "PNG", bits=4),
    "png with a palette of 2 bits": lambda seed: encode(quantized(4, seed), "PNG", bits=2),
    "png with a palette of 1 bit": lambda seed: encode(quantized(2, seed), "PNG", bits=1),
    "png with a palette and alpha": lambda seed: encode(quantized(16, seed), "PNG", transparency=b"\x00\x80\xff"),
    "png with a palette, one transparent": lambda seed: encode(quantized(16, seed), "PNG", transparency=3),
    "png of colours": lambda seed: encode(colours(seed), "PNG"),
    "png of colours and alpha": lambda seed: encode(with_alpha(colours(seed), seed), "PNG"),
    "png of colours, one transparent": lambda seed: encode(colours(seed), "PNG", transparency=(1, 2, 3)),
    "png of colours, interlaced": lambda seed: png(random(*SIZE, 3, seed=seed), 8, 2, interlaced=True),
    "png of 16 bits of colours": lambda seed: png(random(*SIZE, 3, top=65536, kind=np.uint16, seed=seed), 16, 2),
    "png of 16 bits of colours, alpha": lambda seed: png(random(*SIZE, 4, top=65536, kind=int, seed=seed), 16, 6),
    "png of 16 bits of grey and alpha": lambda seed: png(random(*SIZE, 2, top=65536, kind=int, seed=seed), 16, 4),
    "jpg of colours": lambda seed: encode(colours(seed), "JPEG"),
    "jpg of colours, progressive": lambda seed: encode(colours(seed), "JPEG", progressive=True),
    "jpg of grey": lambda seed: encode(colours(seed).convert("L"), "JPEG"),
    "jpg of CMYK": lambda seed: encode(colours(seed).convert("CMYK"), "JPEG"),
    "bmp of 1 bit": lambda seed: encode(colours(seed).convert("1"), "BMP"),
    "bmp of grey": lambda seed: encode(colours(seed).convert("L"), "BMP"),
    "bmp with a palette": lambda seed: encode(quantized(256, seed), "BMP"),
    "bmp with a palette of 4 bits": lambda seed: encode(quantized(16, seed), "BMP"),
    "bmp with a palette of 1 bit": lambda seed: encode(quantized(2, seed), "BMP"),
    "bmp with a palette, packed": rle_bmp,
    "bmp of 16 bits a pixel": bmp_565,
    "bmp of 24 bits a pixel": lambda seed: encode(colours(seed), "BMP"),
    "bmp of 32 bits a pixel": lambda seed: encode(with_alpha(colours(seed), seed), "BMP"),
    "gif of grey": lambda seed: encode(colours(seed).convert("L"), "GIF"),
    "gif of 1 bit": lambda seed: encode(colours(seed).convert("1"), "GIF"),
    "gif with a palette": lambda seed: encode(quantized(16, seed), "GIF"),
    "gif with a palette, one transparent": lambda seed: encode(quantized(16, seed), "GIF", transparency=3),
    "gif, animated": lambda seed: encode(
        quantized(16, seed), "GIF", save_all=True, append_images=[quantized(16, seed + 1), quantized(4, seed + 2)]
    ),
    "gif with a small first frame": small_frame,
    "webp": lambda seed: encode(colours(seed), "WEBP"),
    "webp with alpha, lossless": lambda seed: encode(with_alpha(colours(seed), seed), "WEBP", lossless=True),
    "webp, animated": lambda seed: encode(colours(seed), "WEBP", save_all=True, append_images=[colours(seed + 1)]),
    "tif of 1 bit": lambda seed: encode(colours(seed).convert("1"), "TIFF"),
    "tif of grey": lambda seed: encode(colours(seed).convert("L"), "TIFF"),
    "tif of grey and alpha": lambda seed: encode(with_alpha(colours(seed).convert("L"), seed), "TIFF"),
    "tif with a palette": lambda seed: encode(quantized(16, seed), "TIFF"),
    "tif of colours, packed": lambda seed: encode(colours(seed), "TIFF", compression="tiff_lzw"),
    "tif of colours and alpha": lambda seed: encode(with_alpha(colours(seed), seed), "TIFF"),
    "tif of CMYK": lambda seed: encode(colours(seed).convert("CMYK"), "TIFF"),
    "pbm": lambda seed: encode(colours(seed).convert("1"), "PPM"),
    "pgm": lambda seed: encode(colours(seed).convert("L"), "PPM"),
    "ppm": lambda seed: encode(colours(seed), "PPM"),
    "ppm of 16 bits": lambda seed: b"P6 10 12 65535\n" + random(*SIZE, 3, top=65536, kind=">u2", seed=seed).tobytes(),
}
"""Makers of a file with 8 bits of each colour, by what it is."""
GREY_16 = {
    "png": lambda values: png(values[..., None], 16, 0),
    "png, interlaced": lambda values: png(values[..., None], 16, 0, interlaced=True),
    "tif": lambda values: encode(Image.fromarray(values.astype(np.uint16)), "TIFF"),
    "pgm": lambda values: b"P5 10 12 65535\n" + values.astype(">u2").tobytes(),
}
"""Makers of a file with 16 bits of grey."""
REFUSED = {
    "tif of LAB": (lambda: encode(Image.new("LAB", (5, 5)), "TIFF"), "grey in 16, got the colours LAB"),
    "tif of floats": (lambda: encode(Image.new("F", (5, 5)), "TIFF"), "grey in 16, got floats"),
    "tif of 32 bits": (lambda: encode(Image.new("I", (5, 5)), "TIFF"), "grey in 16, got whole numbers of 32 bits"),
    "tif of two pages": (
        lambda: encode(colours(0), "TIFF", save_all=True, append_images=[colours(1)]),
        "expected an image of one page, got 2 pages",
    ),
    "png of an empty file": (lambda: b"", "expected an image that can be read, got an empty file (0 bytes)"),
    "jpg of text": (lambda: b"not an image", "got a file that is none of BMP, GIF, JPEG, PNG, PPM, TIFF, WEBP, or a"),
    "jpg of another format": (lambda: encode(colours(0), "ICO"), "got a file that is none of BMP, GIF, JPEG, PNG"),
    "jpg of a script": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 5 5\n", "got a file that is none of"),
    "png of a small file and vast size": (
        lambda: encode(Image.new("1", (20_000, 10_000)), "PNG"),
        "expected an image of at most 178,956,970 pixels, got a larger one",
    ),
    "png with a wrong checksum": (
        lambda: KINDS["png of colours"](0).replace(b"IEND", b"IEnd"),
        "expected an image that can be read, got a damaged or incomplete one",
    ),
}
REFUSED |= {
    f"{kind}, half": (lambda make=make: make(0)[: len(make(0)) // 2], "an image that can be read, got a ")
    for kind, make in KINDS.items()
    if "animated" not in kind
}
"""Makers of a file that cannot be used, and what is said of it."""


def make_folder(folder, kind, contents):
    """Two classes of files of a kind."""
    ending = kind.partition(" ")[0].strip(",")
    for number, content in enumerate(contents):
        path = folder / "ab"[number % 2] / f"{number:02}.{ending}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_images_of_every_kind_are_what_pillow_shows(tmp_path, kind):
    folder = make_folder(tmp_path, kind, [KINDS[kind](seed) for seed in range(COUNT)])
    paths = sorted(folder.rglob("*.*"))
    images = [Image.open(io.BytesIO(path.read_bytes())) for path in paths]
    size = images[0].size[::-1]
    for color, mode in pixels.MODES.items():
        with pixels.silence():
            shown = np.array([np.asarray(image.convert(mode)) for image in images])
        kept = datasets.load(spec(folder, list(size), color)).pool[0]
        assert kept.dtype == np.uint8
        assert len(kept) == COUNT
        assert (kept == shown.reshape(kept.shape)).all()
        assert len(np.unique(kept)) > 1


@pytest.mark.parametrize("kind", GREY_16)
def test_all_sixteen_bits_of_grey_are_kept(tmp_path, kind):
    values = [random(*SIZE, top=65536, kind=int, seed=seed) for seed in range(COUNT)]
    folder = make_folder(tmp_path, kind, map(GREY_16[kind], values))
    expected = np.array(values[::2] + values[1::2])[..., None] / 65535  # by class
    for color, channels in (("grayscale", 1), ("rgb", 3)):
        asked = spec(folder, list(SIZE), color)
        kept = datasets.load(asked).pool[0]
        assert (kept.dtype, kept.shape) == (np.float32, (COUNT, *SIZE, channels))
        np.testing.assert_allclose(kept, np.broadcast_to(expected, kept.shape), rtol=0, atol=1e-7)
        assert datasets.describe(asked).kept_bytes == 4
        assert 0.9 < datasets.split(datasets.load(asked), asked.dataset, 10, seed=0).train[0].max() <= 1


def test_sixteen_bits_beside_eight_are_scaled_each_by_its_own_range(tmp_path):
    make_folder(
        tmp_path, "png", [png(np.full((*SIZE, 1), 65535), 16, 0), encode(Image.new("L", (10, 12), 51), "PNG")]
    )
    images = datasets.load(spec(tmp_path, list(SIZE), "grayscale")).pool[0]
    assert images.min(axis=(1, 2, 3)).tolist() == images.max(axis=(1, 2, 3)).tolist() == [1, np.float32(51 / 255)]


@pytest.mark.parametrize("kind", REFUSED)
def test_a_file_that_cannot_be_used_is_refused_by_name_and_in_plain_words(tmp_path, kind):
    make, words = REFUSED[kind]
    folder = make_folder(tmp_path, kind, [KINDS["png of colours"](0), make()])
    with pytest.raises(DatasetError) as error:
        datasets.load(spec(folder))
    message = str(error.value)
    assert f"{next((tmp_path / 'b').iterdir())}: expected " in message
    assert words in message
    assert message.endswith(". Replace or remove it")
    for foreign in ("function_node", "<", "PIL", "Pillow", "BytesIO", "\n", "Error"):
        assert foreign not in message


def test_a_damaged_png_is_found_where_pillow_would_show_other_pixels():
    image = colours(0).resize((40, 48), Image.Resampling.BICUBIC)
    whole, shown_wrongly = encode(image, "PNG"), 0
    for place in range(60, len(whole) - 20, 7):
        damaged = bytearray(whole)
        damaged[place] ^= 0x5A
        with pytest.raises(pixels.UnusableError):
            pixels.inspect(bytes(damaged))
        try:
            shown_wrongly += (np.asarray(Image.open(io.BytesIO(damaged))) != np.asarray(image)).any()
        except (OSError, SyntaxError):
            continue
    assert shown_wrongly


@pytest.mark.parametrize("old", [(9, 7), (100, 60), (1, 1), (5, 1), (37, 53), (8, 8)])
@pytest.mark.parametrize("new", [(4, 6), (20, 31), (7, 13), (3, 3), (32, 32), (8, 9)])
def test_images_are_resized_as_tensorflow_does(old, new):
    image = random(*old, 3, seed=sum(old))
    np.testing.assert_allclose(pixels.resize(image, new), tf.image.resize(image, new).numpy(), rtol=0, atol=1e-4)


def test_an_image_of_the_right_size_is_left_as_it_is():
    image = random(9, 7, 3)
    assert pixels.resize(image, (9, 7)) is image


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_images_are_read_as_they_are_stored_and_a_turn_in_their_exif_is_said(tmp_path, kind):
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encode(colours(1), kind, exif=exif)
    make_folder(tmp_path, kind.lower(), [encode(colours(0), kind), turned])
    images = datasets.load(spec(tmp_path, list(SIZE)))
    assert (images.pool[0][1] == np.asarray(Image.open(io.BytesIO(turned)).convert("RGB"))).all()
    (oddity,) = images.oddities
    assert f"got 1 that their EXIF orientation turns: first {tmp_path}/b/01.{kind.lower()}" in oddity


@pytest.mark.parametrize("bits", [8, 10, 12, 14])
@pytest.mark.parametrize("colour", ["grey", "colours"])
def test_data_of_fewer_bits_in_images_of_sixteen_are_said(tmp_path, bits, colour):
    channels, kind = (1, 0) if colour == "grey" else (3, 2)
    values = [np.maximum(random(*SIZE, channels, top=2**bits, kind=int), 2**bits - 1) for _ in range(2)]
    make_folder(tmp_path, "png", [png(value, 16, kind) for value in values])
    images = datasets.load(spec(tmp_path, list(SIZE)))
    (oddity,) = images.oddities
    assert f"got none above {2**bits - 1:,}. They look like {bits}-bit data" in oddity
    assert f"multiply them by {2 ** (16 - bits)}, or" in oddity


@pytest.mark.parametrize("content", [png(random(*SIZE, 1, top=2**15, kind=int), 16, 0), KINDS["png of grey"](0)])
def test_sixteen_bits_that_are_used_are_not_odd(tmp_path, content):
    make_folder(tmp_path, "png", [content] * 2)
    assert datasets.load(spec(tmp_path)).oddities == ()


def test_dark_images_of_16_bits_a_pixel_are_of_eight_a_colour(tmp_path):
    dark = KINDS["bmp of 16 bits a pixel"](0)
    make_folder(tmp_path, "bmp", [dark[:66] + b"\x01\x00" * (len(dark[66:]) // 2)] * 2)
    assert datasets.load(spec(tmp_path, list(SIZE))).oddities == ()


def test_one_message_says_how_many_images_are_broken(tmp_path):
    draw(tmp_path, {"a": 9, "b": 9})
    for name in ("a/3.png", "b/4.png", "b/5.png"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(DatasetError) as error:
        datasets.load(spec(tmp_path))
    assert f"{tmp_path}/a/3.png: expected an image that can be read, got an empty file" in str(error.value)
    assert str(error.value).endswith(f"; 2 more cannot be used either: {tmp_path}/b/4.png, {tmp_path}/b/5.png")
