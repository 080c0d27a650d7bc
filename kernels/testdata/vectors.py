"""Prints vectors.json: what other implementations (Python's hashlib, re, unicodedata and uuid) make of the same input.

    python3 vectors.py > vectors.json
"""
import hashlib, json, random, re, unicodedata, uuid

random.seed(9562)
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "coreason.local")
LETTERS = "abcXYZ019 |\\:/éÉßẞİıΣσςΑα中\u0301\u0308\u0331\u00a0\u2003\ufeffﬀ①Å🙂Ωǅ"


def text(longest):
    return "".join(random.choice(LETTERS) for _ in range(random.randint(0, longest)))


def value(key):
    return int(hashlib.sha1(key.encode()).hexdigest()[:8], 16)


def nfc(s):
    return unicodedata.normalize("NFC", s)


def normalise(s, exact):
    s = nfc(s).strip()
    return s if exact else nfc(s.lower())


def join(components):
    return "|".join(c.replace("\\", "\\\\").replace("|", "\\|") for c in components)


def prune(tokens, threshold, marker, lookback):
    """The token gate, as the reference has it."""
    pattern = re.compile(marker)
    start = max(0, len(tokens) - max(lookback, 0))
    return [t for i, t in enumerate(tokens)
            if not (i >= start and pattern.search(t) and value(f"{i}:{t}") / 0xFFFFFFFF < threshold)]


KEYS = ["0:uh", "1:um", "2:er", "7:héllo", "", "s:0:", "x" * 54, "x" * 55, "x" * 56, "x" * 63, "x" * 64, "x" * 200]
KEYS += [text(60) for _ in range(60)]
STRINGS = ["Ｃafé", "  Intent-1\n", "\u00a0x\u3000", "\x1cx\x1f", "\u0085y", "Cafe\u0301", "ΟΔΥΣΣΕΥΣ", "ΑΣ. Σ", "Σ", "ΑΣ\u0301",
           "'Σ", "ΑΣ'Β", "ʰΣ", "İstanbul", "I\u0307", "ẞ", "H\u0331", "T\u0308", "J\u030c", "\u03aa\u0301", "Ⅷ", "ǅ", "Ꭰ", "\u2126\u212a\u212b",
           "Ⱥ" * 9, "İ" * 9 + "ΑΣ", "\ufeffx", "a\u200db", "ﬁ", "中文", "👩‍💻", "", " ", "a b", "E\u0301\u0323"] + [text(30) for _ in range(120)]
MARKERS = [r"^(uh|um|er)$", r"um", r"(?i)^U[HM]+$", r"\bum\b", r"^\w+$", r"^\W+$", r"\d", r"\s", r"[^\s]$", r"[]x]", r"[^]x]", r"a{2,3}",
           r"\Aum\Z", r"(?P<m>um)", "é", r"[\w'-]+\.\.\.", r"\$", r"[$]", r"^$", "", r".", r"\D\S", r"[\d.]+"]
TOKENS = ["uh", "um", "er", "UM", "umm", "um\n", "um\n\n", "a um b", "héllo", "٣", "\u00a0", " ", "x", "]", "$", "aaa", "uh...", "3.5", "", "中", "\x1c", "_"]


def prune_case(marker):
    tokens = [random.choice(TOKENS) for _ in range(random.randint(0, 20))]
    threshold, lookback = random.choice([0, 0.3, 0.5, 0.9, 1, 1.5]), random.choice([-1, 0, 1, 5, 10, 100])
    return {"tokens": tokens, "threshold": threshold, "marker": marker, "lookback": lookback,
            "kept": prune(tokens, threshold, marker, lookback)}


def key_case():
    components = [text(12) for _ in range(random.randint(1, 3))]
    name = join(normalise(c, False) for c in components)
    return {"components": components, "name": name, "id": str(uuid.uuid5(NAMESPACE, name))}


print(json.dumps({
    "values": [{"key": k, "value": value(k)} for k in KEYS],
    "load": [{"stream": s, "position": p, "token": t, "threshold": h, "shed": value(f"{s}:{p}:{t}") / 0xFFFFFFFF < h}
             for s, p, t, h in ((text(20), random.getrandbits(random.randint(1, 63)), text(20), random.random()) for _ in range(60))],
    "prune": [prune_case(m) for m in MARKERS for _ in range(4)],
    "normal": [{"in": s, "folded": normalise(s, False), "exact": normalise(s, True)} for s in STRINGS],
    "keys": [key_case() for _ in range(100)],
}, indent=0))
