"""Probabilities follow the base rate of users who were left alone: whom a contact kept must not make churn look rarer than it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from churn.progress import Progress

if TYPE_CHECKING:
    from churn.contacts.past import PastContacts
    from features.activity.store import Activity
    from models.churn_model import ChurnModel
    from models.scorers.base_rate import Prediction


@dataclass(frozen=True)
class LeftAlone:
    """Who was left alone around past cutoffs, as far as lists were exported.

    Attributes
    ----------
    days_to_label
        From a cutoff until its label is known: a list so long before or after it may have changed what happened.
    """

    contacts: PastContacts
    days_to_label: int

    def mask(self, cutoff: date, user_ids: Sequence[str]) -> NDArray[np.bool_] | None:
        """Tell who was held out in every epoch whose lists are near a cutoff, shape (n,); None: there was no such list.

        Whom a list was to contact although the hash holds them out, as under an arm of an earlier epoch, is not among them, nor whom
        another tool contacted before the label was known.
        """
        from serving.weekly.arms import HELD_OUT, TREATED, Arms, ArmsFolder

        near = [one for one in self.contacts.lists if abs((one.cutoff - cutoff).days) < self.days_to_label]
        project, recorded = self.contacts.project, self.contacts.recorded
        given, epochs = recorded.given_arms, {one.epoch: one.share for one in near if one.share}
        if near and not epochs and HELD_OUT in given.values():  # the lists hold out whom the other tool does
            epochs = {near[-1].epoch: 0.0}
        if not epochs:  # nobody was held out: there is nothing better than everybody
            return None
        key = ArmsFolder(project.home.arms(project.name)).known_key()
        arms = [Arms(key, epoch, share, given=given) for epoch, share in epochs.items()]
        contacted = {user for one in near for user, arm in one.arms().items() if arm == TREATED}
        contacted |= recorded.users_between(cutoff, cutoff + timedelta(days=self.days_to_label))
        was_contacted = np.array([user in contacted for user in user_ids], dtype=np.bool_)
        return np.logical_and.reduce([one.held_out(user_ids) for one in arms]) & ~was_contacted


def follow(
    contacts: PastContacts, model: ChurnModel, *, activity: Activity | None, say: Progress
) -> tuple[ChurnModel, Prediction]:
    """Shift a model's probabilities to the base rate at a cutoff, and say by how much and why.

    Parameters
    ----------
    contacts
        Those before the cutoff.
    activity
        None: only the cutoffs that the model itself knows are used.
    """
    from models.scorers.base_rate import Prediction, predict_shift

    project, cutoff = contacts.project, contacts.before
    if not project.settings.scoring.follow_base_rate:
        return replace(model, shift=0.0), Prediction(0.0, "[scoring] follow_base_rate is false")
    if not model.known_cutoffs:
        return model, Prediction(model.shift, "the model knows no cutoff with labels")
    known = [*model.known_cutoffs]
    if activity:
        from training.evaluation.known_cutoffs import known_since

        alone = LeftAlone(contacts, model.definition.window.days_to_label)
        known += known_since(activity, model, cutoff=cutoff, recipe=project.recipe, left_alone=alone.mask)
    shift = predict_shift(known, at=cutoff, purge_days=model.definition.window.days_to_label)
    say.within(f"probabilities are shifted by {shift.shift:+.2f} in log-odds to the base rate: {shift.why}")
    return replace(model, shift=shift.shift, known_cutoffs=tuple(known)), shift
