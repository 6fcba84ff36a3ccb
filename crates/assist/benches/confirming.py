"""A confirming server to be measured, and what attackers send it."""
import base64
import http.client
import json
import os
import resource
import socket
import struct
import subprocess
import tempfile
import time
import zlib
from pathlib import Path

root = Path(tempfile.mkdtemp())
queue = root / "queue"


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, before=b""):
    """A black PNG, grey in eight bits."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    rows = chunk(b"IDAT", zlib.compress(bytes((width + 1) * height)))
    return b"\x89PNG\r\n\x1a\n" + head + before + rows + chunk(b"IEND", b"")


def profile(megabytes):
    """A colour profile of zeros, which are almost nothing when packed."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(megabytes)) + packer.flush()
    return chunk(b"iCCP", b"x\0\0" + packed)


def bmp(path, side):
    """An image that the server has to write anew for a browser."""
    size = 3 * side * side
    head = struct.pack("<IHHI", 54 + size, 0, 0, 54) + struct.pack("<IiiHHIIiiII", 40, side, side, 1, 24, 0, size, 0, 0, 0, 0)
    with open(path, "wb") as file:
        file.write(b"BM" + head)
        for _ in range(side):
            file.write(os.urandom(3 * side))


def webp(width, height):
    """A lossless WebP of one colour: the header, and five prefix codes of one symbol each."""
    bits = [0x2F >> i & 1 for i in range(8)]
    put = lambda value, count: bits.extend(value >> i & 1 for i in range(count))
    put(width - 1, 14), put(height - 1, 14), put(0, 4)  # no alpha, version 0
    put(0, 3)  # no transform, no colour cache, no groups of codes
    for symbol in (90, 160, 30, 255):
        put(1, 1), put(0, 1), put(1, 1), put(symbol, 8)  # simple, one symbol, of eight bits
    put(1, 1), put(0, 1), put(0, 1), put(0, 1)
    bits.extend([0] * (-len(bits) % 8))
    data = bytes(sum(bit << i for i, bit in enumerate(bits[at : at + 8])) for at in range(0, len(bits), 8)) + bytes(1024)  # of fewer bytes so many pixels are not believed
    data += bytes(len(data) % 2)
    body = b"WEBPVP8L" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


class Server:
    def __init__(self, program, run, store=None):
        store = store or root / f"{time.time()}.sqlite"
        self.words = [program, "serve", run, "--queue", queue, "--at", "127.0.0.1:0", "--store", store]

    def __enter__(self):
        self.process = subprocess.Popen(self.words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.port = int(self.process.stdout.readline().strip().rstrip("/").rsplit(":", 1)[1])
        while (status := json.loads(self.call("GET", "/v1/status")[1])["queue"])["suggested"] + status["broken"] < status["items"]:
            time.sleep(0.2)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def memory(self):
        """Megabytes now, and at most since the last reset."""
        lines = dict(line.split(":", 1) for line in open(f"/proc/{self.process.pid}/status"))
        return [int(lines[key].split()[0]) / 1024 for key in ("VmRSS", "VmHWM")]

    def call(self, verb, path, body=None, kind="application/json", source="127.0.0.1"):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120, source_address=(source, 0))
        connection.request(verb, path, body, {"content-type": kind})
        response = connection.getresponse()
        first = response.read(1 << 16)
        for _ in range(1600):  # 100 MB are enough of the sparse file
            if not response.read(1 << 16):
                break
        connection.close()
        return response.status, first

    def numbers(self):
        return {json.loads(self.call("GET", f"/v1/items/{number}")[1])["name"]: number for number in (1, 2, 3)}

    def forget_most(self):
        """From now on the most memory counts anew."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")


def attacks(server, source="127.0.0.1"):
    """Name, and what is called, all at the same time."""
    call = lambda *words: server.call(*words, source=source)
    numbers = server.numbers()
    one = {"image": base64.b64encode(webp(8000, 4000)).decode()}
    inputs = json.dumps({"inputs": [one] * 40})
    hidden = png(1, 1, profile(1024))
    mask = {"size": [1, 1], "counts": [0] * 5_000_000}
    marks = json.dumps({"suggestions": [{"item": "c.png", "objects": [{"label": "A", "score": 0.5, "mask": mask}]}]})
    image = lambda name: lambda: call("GET", f"/v1/items/{numbers[name]}/image", None, "")
    each = {
        "40 WebP of 8000x4000 in one request": [lambda: call("POST", "/v1/suggest", inputs)],
        "12 GETs of a BMP of 49 megapixels": [image("a.bmp")] * 12,
        "4 GETs of 3 GB that begin as PNG": [image("b.png")] * 4,
        "4 PNGs with a profile of 1 GB": [lambda: call("POST", "/v1/suggest", hidden, "image/png")] * 4,
        "6 imports of 5 million numbers": [lambda: call("POST", "/v1/import", marks)] * 6,
    }
    return {**each, "all of these at once": sum(each.values(), [])}


def honest(server, until):
    """Seconds that each honest request took while `until` was false."""
    times = []
    while not until():
        began = time.time()
        status, answer = server.call("POST", "/v1/suggest", png(28, 28), "image/png")
        assert status == 200, answer
        times.append(time.time() - began)
        time.sleep(0.05)
    return times


def quietly(call):
    try:
        call()
    except OSError:
        pass  # a refusal may close the connection: honest callers are what counts


def lay_queue():
    """Three images, of which two become large where no model has to look at them any more."""
    queue.mkdir()
    for name in ("a.bmp", "b.png", "c.png"):
        (queue / name).write_bytes(png(4, 4))


def enlarge():
    bmp(queue / "a.bmp", 7000)
    os.truncate(queue / "b.png", 3 << 30)


def deaf(port, count, source="127.0.0.1"):
    """So many connections that ask for ever and never read."""
    sockets = []
    for _ in range(count):
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.settimeout(2)
        sockets.append(one)
        try:
            one.bind((source, 0))
            one.connect(("127.0.0.1", port))
            one.setblocking(False)
            one.send(b"GET /app.js HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n" * 400)
        except OSError:
            pass  # refused: as it should be
    return sockets


def allow_files(count):
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, [min(count, most)] * 2)
