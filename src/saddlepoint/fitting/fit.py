"""One fit: play rounds, look at samples at planned rounds, save, and stop with a reason.

The estimator and the command line both consume the events of `Fit.play`, so that a notebook and a terminal show the
same run. Looks happen at planned rounds; saving happens by the clock, since it changes nothing in the game.

The two players of a fit, with their first weights and what they take from the data before round 0.

The sentence with which a fit ends.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from saddlepoint import compute
from saddlepoint.data.dataset import Dataset
from saddlepoint.data.encoders import Encoder
from saddlepoint.data.encoders.gaussian_mixture import MixtureEncoder
from saddlepoint.data.transforms.table import TableTransformer
from saddlepoint.errors import InputError
from saddlepoint.fitting.batches import Batches
from saddlepoint.fitting.check_schedule import CheckSchedule, power_in_words
from saddlepoint.fitting.collapse_recovery import CollapseRecovery
from saddlepoint.fitting.events import (
    Checked,
    Estimated,
    Event,
    Played,
    Pretraining,
    Reason,
    RolledBack,
    Sampled,
    Saved,
    Stopped,
)
from saddlepoint.fitting.monitor import (
    SMALL_TABLE,
    CheckMonitor,
    SnapshotSelection,
    added,
    copies,
    refused,
    start_in_words,
    starts_fitted,
)
from saddlepoint.fitting.pretrain import PretrainResult, pretrain
from saddlepoint.judging.monitor.stopping import FINAL
from saddlepoint.model import Model, form_of
from saddlepoint.networks import (
    DeconvolutionGenerator,
    MADEGenerator,
    MixtureDiscriminator,
    MixtureGenerator,
    PCAPriorGenerator,
    RectifierGenerator,
    ResidualGenerator,
    SignNoiseGenerator,
    TabularGenerator,
    build,
)
from saddlepoint.recipes import Plan
from saddlepoint.training import Game, ProcessRank, check_shapes, checked, rounds
from saddlepoint.training import checkpoint as checkpoints
from saddlepoint.training.autotune import measured_rate
from saddlepoint.training.compiling import CompiledRound

_STATES = {
    "reached": "not told apart at the tolerance",
    "plateau": "no longer improving",
    "diverging": "getting worse",
    "collapsed": "collapsed",
    "memorising": "memorising",
}


def stop_sentence(
    reason: Reason, round_: int, last: int, limit: float | None, spent: float, checks: CheckMonitor | None
) -> str:
    """Return why a fit ended, with the evidence of its checks.

    limit, spent: seconds allowed and used; last: the round that was asked for.
    """
    minutes = f" ({spent / 60:.1f} minutes)"
    if reason in _STATES and checks is not None:
        state = checks.state_at(len(checks.history))
        seen = _power(checks) if state.settled else ""  # what was found needs no word on what would have been
        return f"stopped at round {round_:,} of {last:,}, {_STATES[reason]}: {state.evidence}{seen}{minutes}"
    sentence = {
        "minutes": f"the limit of {(limit or 0) / 60:g} min is reached after {round_:,} of {last:,} rounds",
        "interrupted": f"interrupted after {round_:,} of {last:,} rounds; everything is saved",
    }.get(reason, f"all {round_:,} rounds are played")
    if checks is None or reason == "interrupted":
        return sentence + minutes
    state = checks.state_at(len(checks.history), spent=True)
    return f"{sentence}, {_STATES.get(state.name, 'not settled')}: {state.evidence}{_power(checks)}{minutes}"


def _power(checks: CheckMonitor) -> str:
    """Return what the monitor rows could have shown, and so what nothing found would mean."""
    words = power_in_words(checks.plan.power)
    if words is None or not checks.history:
        return ""
    return f"; on {checks.plan.power[0]['rows']:,} held-back rows {words}"


_START_PICTURES, _START_NUMBERS = 5_000, 50_000_000


def build_pair(plan: Plan, encoder: Encoder) -> tuple[nn.Module, nn.Module]:
    """Return a plan's two networks with their first weights, which are a function of the seed."""
    with torch.random.fork_rng([]):
        torch.manual_seed(compute.derived_seed(plan.settings.seed, "weights"))
        generator, discriminator = build(plan.generator), build(plan.discriminator)
    if isinstance(
        generator,
        RectifierGenerator
        | ResidualGenerator
        | SignNoiseGenerator
        | DeconvolutionGenerator
        | PCAPriorGenerator,
    ):
        generator.init_output_bias(encoder.mean_encoded)
    if isinstance(generator, TabularGenerator) and isinstance(encoder, TableTransformer):
        generator.init_from_data(encoder.log_frequencies, encoder.entry_scores)
    for player in (generator, discriminator):
        if isinstance(player, MixtureGenerator | MixtureDiscriminator) and isinstance(
            encoder, MixtureEncoder
        ):
            player.components.init_from_data(
                *(torch.from_numpy(each) for each in (encoder.shares, encoder.means, encoder.factors))
            )
    return generator, discriminator


def init_from_pictures(
    generator: nn.Module, train: Dataset, encoder: Encoder, codes: np.ndarray[Any, Any] | None
) -> None:
    """Let a convolutional generator take its fixed law and its units from some of the training pictures."""
    if isinstance(generator, PCAPriorGenerator):
        most = max(2, min(len(train), _START_PICTURES, _START_NUMBERS // math.prod(encoder.shape)))
        some = slice(None, None, -(-len(train) // most))
        told = None if codes is None else torch.from_numpy(np.ascontiguousarray(codes[some]))
        generator.init_from_data(encoder.encode(train.rows[some]), told)


def multiply_adds_of(player: nn.Module) -> int:
    """Return the multiply-adds of one row: told by a network that shares weights between places, else one for each weight."""
    told = getattr(player, "multiply_adds", None)
    return told if isinstance(told, int) else sum(each.numel() for each in player.parameters())


_STRIP_ROWS = 16
_STRIP_LOOKS = 8
_ROWS_TO_COMPARE = 2_000
_RECORDS_KEPT = 1000
_ROUNDS_BETWEEN_VOTES = 10
_WEAKER = "the copying test found training rows in samples of the fitted heads; those of fewer steps are kept"
_COPIES = (
    "the copying test (level .1) finds training rows in samples of the fitted heads, of however few steps"
)
_DECISIONS: tuple[Any, ...] = ("remedy", *FINAL)
_PLAY_PER_SAVE = 20  # however slow the disk, saving takes a twentieth of the time at most


class Fit:
    """A game about one data set, from its first round to its last.

    folder is where checkpoints go (None: nowhere). `classes`, `class_shares` and `codes` (a class number for each
    training row) make the model conditional.
    """

    def __init__(
        self,
        train: Dataset,
        encoder: Encoder,
        plan: Plan,
        *,
        folder: Path | None = None,
        device: torch.device | None = None,
        threads: int = 1,
        classes: list[Any] | None = None,
        class_shares: list[float] | None = None,
        codes: np.ndarray[Any, Any] | None = None,
        monitor: Dataset | None = None,
        checks: CheckSchedule | None = None,
        strip: bool = True,
        save_seconds: float = 10.0,
        play_round: CompiledRound | None = None,
        start_steps: int | None = None,
    ) -> None:
        self.form = form_of(train)
        self.encoder, self.plan, self.folder, self.threads = encoder, plan, folder, threads
        self.classes, self.class_shares = classes, class_shares
        self.share = ProcessRank.of_this_process()
        self.device = device or torch.device("cpu")
        generator, discriminator = build_pair(plan, encoder)
        init_from_pictures(generator, train, encoder, codes)
        self.game = Game(generator, discriminator, plan.settings, device=self.device, share=self.share)
        self.batches = Batches(
            train,
            encoder,
            settings=plan.settings,
            share=self.share,
            device=self.device,
            codes=codes,
            class_count=len(classes or ()),
            masked=isinstance(generator, MADEGenerator),
        )
        self.started: PretrainResult | None = None
        self._train, self._monitor, self._codes, self._start_steps = train, monitor, codes, start_steps
        self.save_seconds = save_seconds
        self.play_round = play_round
        # Checks keep the best snapshot themselves: where there are any, nobody looks besides.
        watched = self.share.rank == 0 and checks is None
        self.looks = SnapshotSelection.about(train, monitor, plan.settings.horizon) if watched else None
        self._planned_check = (lambda round_: False) if checks is None else checks.due
        self.checks: CheckMonitor | None = None
        self.recovery: CollapseRecovery | None = None
        self._fresh: tuple[bool, str | None] = (False, None)
        self._to_mend = False
        if checks is not None:
            if checks.on_collapse != "stop":
                self.recovery = CollapseRecovery(self.game, mend=checks.on_collapse == "remedy")
            if self.share.rank == 0:
                remedies = None if self.recovery is None else self.recovery.rounds
                self.checks = CheckMonitor(
                    checks, train.in_memory(), monitor, seed=plan.settings.seed, remedies=remedies
                )
        self._strips = (
            planned_estimates(plan.settings.horizon) if strip and train.kind != "tables" else frozenset()
        )
        self._records_every = max(1, plan.settings.horizon // _RECORDS_KEPT)

    @property
    def round(self) -> int:
        """How many rounds have been played."""
        return self.game.round

    def resume(self) -> tuple[str, ...] | None:
        """Go back to the newest whole checkpoint; return the names of broken newer ones, None if there is none.

        Raises:
            StoredFileError: checkpoints exist but none can be read, or they belong to another game.
        """
        if self.folder is None or (found := checkpoints.load(self.folder)) is None:
            return None
        checkpoints.restore(self.game, found)
        if self.looks is not None:
            self.looks.restore(found.tensors, found.facts)
        if self.recovery is not None:
            self.recovery.restore(self.game, found.tensors, found.facts)
        if self.checks is not None:
            self.checks.restore(found.tensors, found.facts)
        return found.skipped

    def measured_rate(self, seconds: float) -> float:
        """Return rounds a second, measured on a copy of this game so that nothing of it moves."""
        with compute.threads(self.threads):
            measured = measured_rate(self.game, self.batches.from_round(self.round), seconds, self.play_round)
        rate = torch.tensor([measured], dtype=torch.float64)
        self.share.average_([rate])
        return float(rate)

    def measured_start(self, seconds: float) -> tuple[float, float] | None:
        """Return the seconds before the first step of fitting a table's start, and those of a step; None without one.

        Measured on a copy, so that nothing moves; what happens after the last step costs about as much as before the first.
        """
        if not isinstance(self.game.generator, MADEGenerator):
            return None
        steps = self._fitting(copy.deepcopy(self.game.generator), None)
        began = time.monotonic()
        with compute.threads(self.threads):
            next(steps)  # before the closed forms
            next(steps)
            first = time.monotonic() - began
            played, began = 0, time.monotonic()
            while played == 0 or time.monotonic() - began < seconds:
                if next(steps, None) is None:
                    break
                played += 1
        return 2 * first, (time.monotonic() - began) / max(1, played)

    def play(
        self,
        *,
        until_round: int | None = None,
        seconds: float | None = None,
        interrupted: Callable[[], bool] = lambda: False,
    ) -> Iterator[Event]:
        """Play to `until_round` (the horizon by default), at most so many seconds, and yield what happens.

        Raises:
            GameError: a loss or gradient is not finite; the last good checkpoint is kept.
            InputError: until_round was passed already.
        """
        last = self.plan.settings.horizon if until_round is None else until_round
        if last < self.round:
            raise InputError(
                f"{last} rounds were asked for, but this run has played {self.round}; ask for more, or sample from it."
            )
        begin = time.monotonic()
        next_save = begin + self.save_seconds
        reason: Reason = "rounds"
        if self.round == 0:
            yield from self._start()
            check_shapes(self.game, next(self.batches.from_round(0)))
            yield from self._look()
            reason = self._vote(False, False) or reason
        left = last - self.round if reason == "rounds" else 0
        with compute.threads(self.threads):
            for record in checked(
                rounds(self.game, self.batches.from_round(self.round), left, self.play_round)
            ):
                yield Played(record=record, planned=record.round % self._records_every == 0)
                yield from self._look()
                now = time.monotonic()
                if vote := self._vote(interrupted(), seconds is not None and now - begin >= seconds):
                    reason = vote
                    break
                yield from self._recover()
                if now >= next_save:
                    yield from self._save()
                    next_save = time.monotonic() + max(
                        self.save_seconds, _PLAY_PER_SAVE * (time.monotonic() - now)
                    )
        if self.looks is not None and (not self.looks.history or self.looks.history[-1].round < self.round):
            look = self.looks.look_once(self.playing(), self.game.sampler(), self.round)
            yield Estimated(round=look.round, jsd=look.jsd, error=look.error)
        yield from self._save()
        spent = time.monotonic() - begin
        sentence = stop_sentence(reason, self.round, last, seconds, spent, self.checks)
        yield Stopped(round=self.round, reason=reason, sentence=sentence)

    def model(self) -> Model:
        """Return the model to keep: the snapshot that the looks chose, else the average of G as it stands."""
        looks = self.looks or self.checks
        if looks is None:
            return self.playing()
        generator, kept = looks.choose(self.game.sampler())
        model = self.playing(generator)
        model.description |= {"kept_round": kept, "looks": looks.seen()}
        return model

    def added(self) -> str | None:
        """Return in words what the game added to the law it started from, and what was refused as copies.

        None where it started from none and nothing was refused.
        """
        generator, looks = self.game.generator, self.looks or self.checks
        if looks is None:
            return None
        seen, kept = looks.seen(), looks.choose(self.game.sampler())[1]
        start = start_in_words(generator)
        told = None
        if self.started is not None and (self.started.weaker or self.started.copies):
            told = _COPIES if self.started.copies else _WEAKER
        said = [
            told,
            added(seen, kept, start) if starts_fitted(generator) else None,
            refused(seen, kept, start) if self.looks is not None else None,
        ]
        return "; ".join(sentence for sentence in said if sentence) or None

    def playing(self, generator: nn.Module | None = None) -> Model:
        """Return the model as it plays now: the average of G where there is one."""
        settings = self.plan.settings
        return Model(
            encoder=self.encoder,
            generator=generator or copy.deepcopy(self.game.sampler()),
            discriminator=copy.deepcopy(self.game.discriminator),
            description={
                "data": self.form,
                "recipe": self.plan.recipe,
                "objective": settings.objective,
                "penalties": [penalty.name for penalty in settings.penalties],
                "rounds": self.round,
                "noise_distribution": settings.noise_distribution,
                "noise_width": settings.noise_width,
                "classes": self.classes,
                "class_shares": self.class_shares,
                "generator": self.plan.generator,
                "discriminator": self.plan.discriminator,
            },
        )

    def _start(self) -> Iterator[Event]:
        """Let heads in order begin at the law that the training rows make likeliest."""
        generator = self.game.generator
        if not isinstance(generator, MADEGenerator):
            return
        asked = self._monitor is not None and len(self._train) < SMALL_TABLE
        with compute.threads(self.threads):
            self.started = yield from self._fitting(generator, self._copied if asked else None)
        for buffer, value in zip(self.game.sampler().buffers(), generator.buffers(), strict=True):
            buffer.copy_(value)

    def _fitting(
        self, generator: MADEGenerator, copied: Callable[[], bool] | None
    ) -> Generator[Pretraining, None, PretrainResult]:
        encoder = self.encoder
        if not isinstance(encoder, TableTransformer):
            raise TypeError("heads in order are of tables")
        held = codes = None
        good = np.zeros(0, dtype=bool)
        if self._monitor is not None:
            good = encoder.encodable(self._monitor.rows)
            held = encoder.compact(self._monitor.rows[good]).to(self.device) if good.any() else None
        if self._codes is not None and self.classes is not None:
            known = {str(value): code for code, value in enumerate(self.classes)}
            labels = None if self._monitor is None else self._monitor.labels
            named = [] if labels is None else labels[good].tolist()
            seen = torch.tensor([known.get(str(value), 0) for value in named])
            codes = torch.from_numpy(self._codes), seen
        return pretrain(
            generator,
            encoder,
            self.batches.levels,
            held,
            seed=self.plan.settings.seed,
            codes=codes,
            most_steps=self._start_steps,
            copied=copied,
        )

    def _copied(self) -> bool:
        """Return whether samples of the start count as copies of training rows."""
        if self._monitor is None:
            return False
        rows, _ = self.playing(copy.deepcopy(self.game.generator)).draw(_ROWS_TO_COMPARE, random_state=0)
        return copies(self._train, self._monitor, rows)

    def _look(self) -> Iterator[Event]:
        if self.round in self._strips:
            yield Sampled(round=self.round, rows=self._strip())
        if self.looks is not None and self.looks.due(self.round):
            look = self.looks.look(self.playing(), self.game.sampler(), self.round)
            yield Estimated(round=look.round, jsd=look.jsd, error=look.error)
        if self.checks is not None and self.checks.due(self.round):
            safest = self.checks.check(self.playing(), self.game.sampler(), self.round)
            self._fresh = safest, self.checks.decision()
            yield Checked(round=self.round, record=self.checks.record(len(self.checks.history) - 1))

    def _strip(self) -> Tensor:
        s = self.plan.settings
        z = compute.noise(
            s.noise_distribution, _STRIP_ROWS, s.noise_width, compute.random_generator(s.seed, "strip")
        )
        codes = None if self.classes is None else torch.arange(_STRIP_ROWS) % len(self.classes)
        return self.playing().generate(z, codes)

    def _save(self) -> Iterator[Event]:
        if self.folder is not None and self.share.rank == 0:
            tensors, facts = checkpoints.state_of(self.game), dict[str, Any]()
            for each in (self.looks, self.checks, self.recovery):
                more, told = ({}, {}) if each is None else each.state()
                tensors, facts = tensors | more, facts | told
            checkpoints.save(self.folder, self.round, tensors, facts)
            yield Saved(round=self.round)

    def _vote(self, interrupted: bool, over: bool) -> Reason | None:
        """Return why to stop, the same on every rank: what any of them wishes, and what rank 0 decided by a check."""
        safest, decision = self._fresh
        self._fresh = False, None
        code = 0 if decision is None else 1 + _DECISIONS.index(decision)
        wishes = torch.tensor([interrupted, over, safest, code], dtype=torch.float64)
        if self.share.count > 1:
            if self.round % _ROUNDS_BETWEEN_VOTES and not self._planned_check(self.round):
                return None
            self.share.average_([wishes := wishes.to(self.device)])
        if self.recovery is not None and wishes[2] > 0:
            self.recovery.remember(self.game)
        code = round(float(wishes[3]) * self.share.count)
        decided = None if code == 0 else _DECISIONS[code - 1]
        self._to_mend = decided == "remedy"
        if decided is not None and decided != "remedy":
            reason: Reason = decided
            return reason
        return "interrupted" if wishes[0] > 0 else "minutes" if wishes[1] > 0 else None

    def _recover(self) -> Iterator[Event]:
        """After a collapse that is to be mended: go back to the safest snapshot, on every rank."""
        if self._to_mend and self.recovery is not None:
            self.recovery.apply(self.game)
            self._to_mend = False
            yield RolledBack(round=self.round, sentence=self.recovery.said())


def planned_estimates(horizon: int) -> frozenset[int]:
    """Return the rounds at which samples are looked at: 0, then doubling up to the horizon."""
    return frozenset({0, *(max(1, horizon >> halvings) for halvings in range(_STRIP_LOOKS))})
