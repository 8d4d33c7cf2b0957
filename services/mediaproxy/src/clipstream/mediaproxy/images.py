"""Small pictures of stored images. `shrink` decodes what strangers uploaded: it runs in a caged child process and nowhere
else (docs/adr/0014-the-media-proxy.md)."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageCms, ImageFile, ImageOps

from clipstream.common.errors import ClipstreamError, Rejected

MAX_BYTES = 30_000_000
MAX_PIXELS = 50_000_000
_MATTE = (255, 255, 255)  # behind what was transparent, where the format has no transparency
_SIGNATURES = {
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "GIF": (b"GIF87a", b"GIF89a"),
}


@dataclass(frozen=True, slots=True)
class Preset:
    """The box a picture is fitted into, never enlarged; with `crop` it fills the box."""

    width: int
    height: int
    crop: bool = False


PRESETS = {
    "thumb320": Preset(320, 320),
    "thumb640": Preset(640, 640),
    "poster1280": Preset(1280, 1280),
    "avatar128": Preset(128, 128, crop=True),
}


class Format(StrEnum):
    """What a picture can be written as."""

    JPEG = "jpeg"
    WEBP = "webp"
    AVIF = "avif"


_WRITTEN: dict[Format, dict[str, object]] = {
    Format.JPEG: {"quality": 80, "optimize": True, "progressive": True},
    Format.WEBP: {"quality": 80, "method": 4},
    Format.AVIF: {"quality": 60, "speed": 8, "max_threads": 1},
}


def shrink(source: BinaryIO, preset: str, picture_format: Format, scratch: Path) -> Path:
    """The picture as a file in `scratch`, by its name: sRGB, upright, without metadata, first frame only. `Rejected` where
    `source` is no image that we read, is damaged, or is larger than any picture has to be."""
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    data = source.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise Rejected(f"The image is larger than {MAX_BYTES // 1_000_000} MB.")
    path = scratch / f"picture.{picture_format}"
    try:
        with Image.open(io.BytesIO(data), formats=[kind_of(data)]) as image:
            picture = _fitted(image, PRESETS[preset])
        _written(picture, picture_format).save(path, picture_format.value, **_WRITTEN[picture_format])
    except (ClipstreamError, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Rejected(f"The image has more than {MAX_PIXELS // 1_000_000} million pixels.") from None
    except Exception as error:  # decoders raise anything on damaged input
        raise Rejected("The image is damaged.") from error
    return Path(path.name)


def kind_of(data: bytes) -> str:
    """Which decoder may see the bytes, by the bytes alone."""
    for kind, starts in _SIGNATURES.items():
        if data.startswith(starts):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    raise Rejected("This is not a JPEG, PNG, WebP or GIF image.")


def _fitted(image: Image.Image, preset: Preset) -> Image.Image:
    box = (preset.width, preset.height)
    if image.width * image.height > MAX_PIXELS:
        raise Rejected(f"The image has more than {MAX_PIXELS // 1_000_000} million pixels.")
    side = min(*image.size, *box)
    image.draft("RGB", (2 * preset.width, 2 * preset.height))  # a JPEG is decoded no larger than it is needed
    image = _plain(image)
    if preset.crop:
        image = ImageOps.fit(image, (side, side), Image.Resampling.LANCZOS)
    else:
        image.thumbnail(box, Image.Resampling.LANCZOS, reducing_gap=2.0)
    return _in_srgb(ImageOps.exif_transpose(image))


def _plain(image: Image.Image) -> Image.Image:
    """Pixels that can be scaled: no palette, no bits, no 16-bit channels."""
    if image.mode in ("RGB", "RGBA", "L", "LA", "CMYK"):
        return image
    kept = dict(image.info)
    plain = image.convert("RGBA" if "transparency" in image.info or image.mode in ("PA", "La", "RGBa") else "RGB")
    plain.info = {name: kept[name] for name in ("icc_profile", "exif") if name in kept}
    return plain


def _in_srgb(image: Image.Image) -> Image.Image:
    """The colours as browsers take them to be. A profile that does not fit its picture is ignored, as browsers do."""
    profile = image.info.get("icc_profile")
    alpha = image.getchannel("A") if image.mode in ("RGBA", "LA") else None
    colours = image.convert("RGB") if alpha is not None else image
    if profile:
        try:
            given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            srgb = ImageCms.createProfile("sRGB")
            colours = ImageCms.profileToProfile(colours, given, srgb, outputMode="RGB") or colours
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass
    colours = colours.convert("RGB")
    if alpha is not None:
        colours.putalpha(alpha)
    return colours


def _written(image: Image.Image, picture_format: Format) -> Image.Image:
    """New pixels without anything that came along: EXIF, comments, profiles, thumbnails."""
    if image.mode == "RGBA" and picture_format is Format.JPEG:
        matte = Image.new("RGB", image.size, _MATTE)
        matte.paste(image, mask=image.getchannel("A"))
        return matte
    bare = Image.new(image.mode, image.size)
    bare.paste(image)
    return bare
