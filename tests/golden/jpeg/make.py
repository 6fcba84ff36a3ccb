"""JPEG files of each kind, and the pixels that Pillow 13.0.0 (libjpeg-turbo 3.2.0) reads from them:
NAME.jpg and NAME.ppm or NAME.pgm."""

from pathlib import Path

from PIL import Image

HERE = Path(__file__).parent


def drawn(width, height):
    """Colours with edges and slopes, so that every step of the decoder matters."""
    image = Image.new("RGB", (width, height))
    for y in range(height):
        for x in range(width):
            edge = 90 * ((x // 5 + y // 3) % 2)
            image.putpixel((x, y), ((x * 13 + edge) % 256, (y * 17 + edge) % 256, (x * y * 3) % 256))
    return image


def write(name, image, **options):
    path = HERE / f"{name}.jpg"
    image.save(path, optimize=True, **options)
    read = Image.open(path)
    read.save(path.with_suffix(".pgm" if read.mode == "L" else ".ppm"))


write("grey", drawn(19, 13).convert("L"), quality=75)
write("full", drawn(21, 17), quality=85, subsampling=0)
write("half_width", drawn(23, 18), quality=80, subsampling=1)
write("half", drawn(35, 21), quality=80, subsampling=2)
write("half_progressive", drawn(35, 33), quality=70, subsampling=2, progressive=True)
write("restarts", drawn(37, 19), quality=60, subsampling=2, restart_marker_blocks=2)
write("narrow", drawn(3, 20), quality=80, subsampling=2)
write("rgb", drawn(17, 9), quality=90, keep_rgb=True, subsampling=0)
