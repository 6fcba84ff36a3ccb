"""Own data of ten people, cut out of the mirror (datasets/README.md says where it comes from)."""
import csv
import gzip
import math
import random
import struct
import tarfile
import zlib

pick = random.Random(1)


def archive(mirror, name):
    return tarfile.open(next((mirror / name).glob("*.tar.gz")))


def put(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def png(width, height, grey):
    """A grey PNG."""
    rows = b"".join(b"\0" + grey[y * width:][:width] for y in range(height))
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def photographs(mirror, root, held=False):
    """Of CIFAR-10: three folders, one with other endings than the content has; with `held`, others to judge by."""
    wanted = {
        "animals": (["cat", "frog", "horse"], 30, "jpg"),
        "vehicles": (["airplane", "automobile", "ship", "truck"], 75, "JPEG"),
        "sea": (["ship", "frog"], 50, "png"),  # JPEG inside
    }
    done = {}
    left = sum(len(labels) * (count + 100 * held) for labels, count, _ in wanted.values())
    with archive(mirror, "cifar10-images") as tar:
        for member in tar:
            parts = member.name.split("/")
            if not member.isfile() or parts[-3:-2] not in (["train"], ["test"]):
                continue
            split, label = parts[-3:-1]
            for name, (labels, count, ending) in wanted.items():
                place = root / name if split == "train" else root / "held" / name / "test"
                number = done.get((place, label), 0)
                if label in labels and number < (count if split == "train" else 100 * held):
                    done[place, label] = number + 1
                    left -= 1
                    put(place / label / f"{number:03}.{ending}", tar.extractfile(member).read())
            if not left:
                return


def digits(mirror, root):
    """Of MNIST's test digits: twenty of each, and the zeros and ones in nested folders; forty to judge by, in held/."""
    read = lambda file, skip: gzip.open(mirror / "mnist" / file).read()[skip:]
    pixels, labels = read("t10k-images-idx3-ubyte.gz", 16), read("t10k-labels-idx1-ubyte.gz", 8)
    done = [0] * 10
    for place, label in enumerate(labels):
        image, number = png(28, 28, pixels[place * 784:][:784]), done[label]
        if number < 20:
            put(root / f"digits/{label}/{number:02}.png", image)
        if number < 40 and label < 2:
            put(root / f"zero-one/{'零一'[label]}/box{number % 3}/{number:02}.PNG", image)
        if 40 <= number < 80:
            put(root / f"held/digits/test/{label}/{number:02}.png", image)
        done[label] += 1


def tables(mirror, root):
    tabular = {file.name: file.read_text() for file in (mirror / "tabular").iterdir() if file.suffix == ".csv"}
    rows = lambda part: [row for row in csv.reader(next(text for name, text in tabular.items() if part in name).splitlines()) if row]
    # With a header, a number for each row, and gaps.
    flowers = [["id", "sepal length", "sepal width", "petal length", "petal width", "kind"]]
    for number, row in enumerate(rows("iris"), 1):
        flowers.append([number] + ["" if pick.random() < 0.05 else cell for cell in row[:4]] + row[4:])
    # As spreadsheets of many countries write it.
    claims = ["claims;payment"] + [";".join(cell.strip().replace(".", ",") for cell in row) for row in rows("auto-insurance")]
    # Words and gaps among the features.
    people = [["cabin", "sex", "age", "fare", "survived"]]
    for _ in range(300):
        sex, kind, age = pick.choice(["male", "female"]), pick.choice([1, 2, 3]), pick.randint(1, 80)
        chance = 1 / (1 + math.exp(-(3 * (sex == "female") - 1.2 * (kind - 2) - 0.02 * age - 0.5)))
        age = "" if pick.random() < 0.2 else age
        survived = "yes" if pick.random() < chance else "no"
        people.append([kind, sex, age, f"{60 / kind + pick.random():.2f}", survived])
    for name, table in [("flowers", flowers), ("people", people)]:
        with open(root / f"{name}.csv", "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(table)
    put(root / "claims.csv", "\n".join(claims).encode())


def texts(mirror, root):
    """Captions of Multi30k in three languages, as a table with the text first; sentences in Chinese, drawn."""
    captions = []
    for ending, label in [("en", "English"), ("de", "German"), ("fr", "French")]:
        lines = gzip.open(mirror / "multi30k" / f"train.{ending}.gz", "rt", encoding="utf-8")
        captions += [[line.strip(), label] for line, _ in zip(lines, range(60))]
    pick.shuffle(captions)
    stays = []
    for _ in range(200):
        good = pick.random() < 0.5
        about = pick.choice(["房间", "早餐", "服务", "位置", "床", "浴室"])
        words = ["很干净", "非常好", "我很喜欢", "值得再来"] if good else ["太脏了", "非常差", "我不喜欢", "不会再来"]
        stays.append([pick.choice(["这次", "上周", "我们觉得", ""]) + about + pick.choice(words), "好评" if good else "差评"])
    for name, table in [("captions", [["text", "label"]] + captions), ("stays", [["评论", "标签"]] + stays)]:
        with open(root / f"{name}.csv", "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(table)
