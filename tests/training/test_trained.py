"""The result of a training: what it takes from its plan, and how it refits."""

from models.settings import ModelSettings
from tests.training.untrained import SPECIFICATION, WEEKS, recipe_of, result_of, split_of


def test_the_cutoffs_are_those_of_the_plan():
    split = split_of(*WEEKS[:3], test=WEEKS[3])
    assert result_of(recipe_of(), split).split is split


def test_it_is_refitted_with_the_settings_that_were_used_not_with_those_that_were_planned():
    # the recipe of the result is the one after a search; its plan has the configured settings
    found = result_of(recipe_of(model=ModelSettings(num_leaves=4), seed=11), split_of(WEEKS[0], test=WEEKS[3]))
    assert found.plan.recipe.training.seed == 7
    assert (found.fitter.model.num_leaves, found.fitter.training.seed) == (4, 11)
    assert found.fitter.specification is SPECIFICATION


def test_without_a_search_a_refit_or_labels_there_is_none_of_each():
    found = result_of(recipe_of(), split_of(WEEKS[0], test=WEEKS[3]))
    assert (found.search, found.refitted, found.refit_cutoffs, found.audit) == (None, None, (), None)
