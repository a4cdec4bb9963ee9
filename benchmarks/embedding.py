"""Measure embedding beside its limits: a large matrix product in the same run, and one text per call of the library.

The production model is 1.3 GB and may be missing here, so a model of the same shape has random weights. It makes the
same multiplications and takes as long, whatever its weights are.
"""

from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from benchmarks.figures import Row, figure, show, timed
from jv_assets import settings
from jv_assets.demo.population import make_population
from jv_assets.resources.embedder import Embedder
from jv_scoring.text import EMBEDDED_FIELDS, text_to_embed

REPEATS = 3
SIZE = 2_048
"""Rows and columns of the matrices whose product is the limit."""
SHAPE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
"""Of the production model, a BERT of the large size."""
OF_SHAPE, AT_ONCE = 32, 4
"""How many texts of all lengths a model of this shape is measured on, and how many of them at once: of like length."""


def run() -> list[Row]:
    """Rows of name, value, unit, target (or None) and whether it was met."""
    import torch
    from sentence_transformers import SentenceTransformer

    profiles, embedder = make_population().profiles, Embedder(settings.DEMO_MODEL)
    usable = [text_to_embed(text) for name in EMBEDDED_FIELDS for text in profiles[name]]
    texts = [text for text in usable if text][::11]
    few, plain = texts[::8], SentenceTransformer(embedder.place)
    flops = _flops(lambda: _forward(plain, texts, embedder.batch_size))
    factors = torch.rand(2, SIZE, SIZE)
    torch.mm(*factors)
    embedder.embed(texts[:64])
    plain.encode(texts[0])
    batched, single, limit, large = [], [], [], []
    shape, ordered = _shape(), _by_length(plain, texts[:: len(texts) // OF_SHAPE])
    batches = [plain.preprocess(ordered[start : start + AT_ONCE]) for start in range(0, len(ordered), AT_ONCE)]
    per_text = _flops(lambda: [shape(**batch) for batch in batches]) / len(ordered)
    for _ in range(REPEATS):
        limit.append(2 * SIZE**3 / timed(lambda: torch.mm(*factors)))
        single.append(timed(lambda: [plain.encode(one) for one in few]) / len(few))
        batched.append(timed(lambda: embedder.embed(texts)))
        large.append(timed(lambda: [shape(**batch) for batch in batches]) / len(ordered))
    ratios = [len(texts) * one / many for one, many in zip(single, batched, strict=True)]
    shares = [flops / many / most for many, most in zip(batched, limit, strict=True)]
    return [
        figure("a product of two matrices of 2,048², float32", median(limit) / 1e9, "GFLOP/s"),
        figure("embedding, texts a second in batches (all-MiniLM-L6-v2)", len(texts) / median(batched), "texts/s"),
        figure("… its multiplications a second ÷ those of the matrix product", median(shares), "", at_least=0.6),
        figure("embedding in batches ÷ one text a call", median(ratios), "x", at_least=2.0),
        figure("a text of the demo in a model of the production model's shape", per_text / 1e9, "GFLOP"),
        figure("… on these processors", 1e3 * median(large), "ms"),
        figure(
            "… its multiplications a second ÷ those of the matrix product",
            per_text / median(large) / median(limit),
            "",
        ),
    ]


def _forward(model: Any, texts: Sequence[str], at_once: int) -> None:
    """The model's part of embedding these texts: shortest first, some at once."""
    import torch

    ordered = _by_length(model, texts)
    with torch.inference_mode():
        for start in range(0, len(ordered), at_once):
            model(model.preprocess(ordered[start : start + at_once]))


def _by_length(model: Any, texts: Sequence[str]) -> list[str]:
    return sorted(texts, key=lambda text: len(model.tokenizer(text, truncation=False, verbose=False)["input_ids"]))


def _shape() -> Callable[..., object]:
    import torch
    from transformers import BertConfig, BertModel

    model = BertModel(BertConfig(**SHAPE)).eval()

    def forward(input_ids: Any, attention_mask: Any, **_: object) -> None:
        with torch.inference_mode():
            model(input_ids=input_ids, attention_mask=attention_mask)

    return forward


def _flops(work: Callable[[], object]) -> float:
    """Of the matrix products in it: two for each multiplication with its addition."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        work()
    return float(counter.get_total_flops())


if __name__ == "__main__":
    show(run())
