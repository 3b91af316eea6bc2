from __future__ import annotations

from bench.entrants import OURS, Entrant
from bench.peers_report import PeerRow, fastest_alike, headline, write_peers
from bench.timing import Ratio


def synthetic_rows() -> list[PeerRow]:
    """A train step at 64/4: bfloat16 chosen, vit-pytorch the fastest in float32, timm in bfloat16, ours compiled."""
    ratios = {  # images/s, like for like, over ours in bfloat16
        Entrant(OURS): (3000.0, 1.0, 4 / 3),
        Entrant("timm"): (1500.0, 2.0, 8 / 3),
        Entrant("vit-pytorch"): (2500.0, 1.2, 1.6),
        Entrant(OURS, "bfloat16"): (4000.0, 1.0, 1.0),
        Entrant("timm", "bfloat16"): (1000.0, 4.0, 4.0),
        Entrant("vit-pytorch", "bfloat16"): (800.0, 5.0, 5.0),
        Entrant(OURS, "bfloat16", compiled=True): (8000.0, 1.0, 0.5),
        Entrant("timm", "bfloat16", compiled=True): (2000.0, 4.0, 2.0),
    }
    bfloat16, rows = Entrant(OURS, "bfloat16"), []
    for entrant, (rate, like, chosen) in ratios.items():
        compiled = 16.0 if entrant.compiled else None
        cell = ("64/4", 17, 128, "train step", entrant, rate, 0.01, False, 5)
        rows.append(PeerRow(*cell, exact(like), exact(chosen), entrant == bfloat16, compiled))
    return rows


def exact(ratio: float) -> Ratio:
    return Ratio(ratio, ratio, ratio)


def test_the_headline_compares_like_with_like_first():
    (line,) = headline(synthetic_rows())
    alike, chosen, compiled = line.split("; ")
    assert alike.index("1.20 (1.20 to 1.20) in float32 (vit-pytorch)") < alike.index(
        "4.00 (4.00 to 4.00) in bfloat16 ("
    )
    assert alike.endswith("4.00 (4.00 to 4.00) in bfloat16, compiled (timm)")
    assert chosen.startswith("as chosen, in bfloat16, 1.60 (1.60 to 1.60) times")
    assert chosen.endswith("vit-pytorch in float32")
    assert compiled == "compiled in 16 s, earned back by 1,000 steps"  # 16 ms a step saved


def test_the_fastest_of_every_arithmetic():
    fastest = fastest_alike(synthetic_rows())
    assert list(fastest) == ["float32", "bfloat16", "bfloat16, compiled"]
    assert [row.entrant.library for row in fastest.values()] == ["vit-pytorch", "timm", "timm"]


def test_the_report_is_written(tmp_path):
    write_peers(tmp_path, synthetic_rows(), {"timm": "none"}, {"machine": "this"})
    assert (tmp_path / "peers.png").stat().st_size > 10_000
    assert (
        "| 64/4 | 17 | 128 | vit-pytorch | float32 | 2,500 | 1.20 (1.20 to 1.20) |"
        in (tmp_path / "peers.md").read_text()
    )
    header, first, *rest = (tmp_path / "peers.csv").read_text().splitlines()
    assert header.startswith("shape,tokens,batch,task,library,dtype,compiled,images_per_second")
    assert first.startswith("64/4,17,128,train step,ours,float32,False,3000,")
    assert len(rest) == 7
