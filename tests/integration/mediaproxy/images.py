"""Images to be shrunk, good and hostile, as bytes."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image, ImageCms

SECRET = b"51.4778N 0.0015W"


def gradient(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """Red grows to the right, green downwards."""
    right = Image.linear_gradient("L").rotate(90).resize((width, height))
    down = Image.linear_gradient("L").resize((width, height))
    rgb = Image.merge("RGB", (right, down, Image.new("L", (width, height), 64)))
    return rgb.convert(mode)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def photo(width: int = 1600, height: int = 900, *, orientation: int = 1) -> bytes:
    """A JPEG with all that a camera leaves in one: place, profile, comment, orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = SECRET.decode()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return encoded(gradient(width, height), "JPEG", exif=exif, icc_profile=profile, comment=SECRET)


def animation() -> bytes:
    """A GIF whose first frame is red and whose others are not."""
    frames = [Image.new("RGB", (400, 300), colour) for colour in ("red", "green", "blue")]
    return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=100)


def bomb(width: int, height: int) -> bytes:
    """A PNG of one bit a pixel, small as a file, of any declared size."""
    rows = zlib.compress(bytes((width + 7) // 8 + 1) * height, 9)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


NO_IMAGES = {
    "svg": b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)' width='9' height='9'/>",
    "html": b"<!doctype html><script>alert(1)</script>",
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "tiff": encoded(gradient(9, 9), "TIFF"),
    "bmp": encoded(gradient(9, 9), "BMP"),
    "ico": encoded(gradient(64, 64), "ICO"),
    "empty": b"",
    "text": b"GIF, honestly",
}
"""What is not one of JPEG, PNG, WebP and GIF, whatever it is called."""
