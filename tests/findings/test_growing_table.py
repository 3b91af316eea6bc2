"""A table kept by columns is the one that pandas makes of its rows."""

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from studies.findings import growing_table
from studies.findings.growing_table import GrowingTable

VALUES = st.one_of(
    st.integers(-9, 9), st.sampled_from(["a", "b", ""]), st.booleans(), st.lists(st.integers(), max_size=2)
)
ROWS = st.lists(
    st.tuples(st.sampled_from("xy"), st.dictionaries(st.sampled_from("pqrs"), VALUES, max_size=4)),
    min_size=1,
    max_size=12,
)
SHARED = {"x": {"shared": 1, "q": "of all"}, "y": {"shared": 2}}


@given(ROWS, st.integers(1, 4))
def test_it_is_the_table_of_its_rows(rows, at_once):
    table, before = GrowingTable(), growing_table.AT_ONCE
    growing_table.AT_ONCE = at_once
    try:
        for kind, own in rows:
            if kind not in table.kinds:
                table.add_kind(kind, SHARED[kind], [*SHARED[kind], *own])
            table.add(kind, own)
    finally:
        growing_table.AT_ONCE = before
    found = table.frame()
    expected = pd.DataFrame([{**own, **SHARED[kind]} for kind, own in rows])
    assert len(table) == len(rows)
    assert set(found) == set(expected)
    for name in expected:
        for ours, theirs in zip(found[name], expected[name], strict=True):
            assert repr(ours) == repr(theirs) or (ours != ours and theirs != theirs) or float(ours) == float(theirs)
