"""Embeds texts with the library that WordLlama's tokenizer was made for: reads JSON strings, one a line, writes vectors of length 1.

Needs numpy and tokenizers; the argument is the directory with model.safetensors and tokenizer.json.
"""

import json
import pathlib
import struct
import sys

import numpy as np
from tokenizers import Tokenizer

model = pathlib.Path(sys.argv[1])
data = (model / "model.safetensors").read_bytes()
(length,) = struct.unpack("<Q", data[:8])
rows, dimensions = json.loads(data[8 : 8 + length])["embedding.weight"]["shape"]
table = np.frombuffer(data[8 + length :], np.float16).reshape(rows, dimensions).astype(np.float32)
tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
for line in sys.stdin:
    mean = table[tokenizer.encode(json.loads(line), add_special_tokens=False).ids].sum(axis=0)
    norm = np.linalg.norm(mean)
    print(json.dumps((mean / norm if norm else mean).tolist()))
