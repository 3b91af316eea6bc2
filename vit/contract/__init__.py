"""What every component promises, as checks that anybody can run on a component of his own.

``vit-ablate check my_scheme.py`` runs them, and so do this project's tests on all that is registered:

    @pytest.mark.parametrize("promise", CONTRACT)
    @pytest.mark.parametrize("config", combinations(), ids=str)
    def test_a_promise_is_kept(promise, config):
        CONTRACT[promise](config)
"""

from vit.contract.covering import combinations, covering
from vit.contract.promises import CONTRACT, sentence_of

__all__ = ["CONTRACT", "combinations", "covering", "sentence_of"]
