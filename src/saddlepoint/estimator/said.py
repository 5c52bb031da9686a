"""What `verbose` prints: a line when a fit begins, one every few seconds, one for each check, and one when it stops."""

from __future__ import annotations

import time
from collections.abc import Iterable

from saddlepoint.fitting import Checked, Event, Fitting, Played, Preparation, Stopped

_SECONDS_BETWEEN_LINES = 5.0


def said(events: Iterable[Event], preparation: Preparation) -> Iterable[Event]:
    """Pass events on and print what happens, a line every few seconds."""
    settings = preparation.plan.settings
    print(
        f"GAN: {preparation.train.describe()} to train on; recipe {preparation.plan.recipe}, objective "
        f"{settings.objective}, batch {settings.batch}, {settings.horizon:,} rounds"
    )
    began = spoke = time.monotonic()
    for event in events:
        if isinstance(event, Stopped):
            print(f"GAN: {event.sentence}")
        elif isinstance(event, Checked):
            print(f"GAN: check at round {event.round:,}: {event.record['state']}, {event.record['evidence']}")
        elif (now := time.monotonic()) - spoke < _SECONDS_BETWEEN_LINES:
            pass
        elif isinstance(event, Fitting):
            spoke = now
            print(f"GAN: {event.sentence}")
        elif isinstance(event, Played):
            spoke, numbers = now, event.record.to_dict()
            played = event.record.round + 1
            print(
                f"GAN: round {played:,} of {settings.horizon:,}, {played / (now - began):.0f} rounds/s, loss D "
                f"{numbers['discriminator_loss']:.3f} G {numbers['generator_loss']:.3f}"
            )
        yield event
