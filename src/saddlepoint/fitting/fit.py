"""One fit: it builds the two networks, plays rounds, estimates at planned rounds, saves, and stops with a reason.

The estimator and the command line both read the events of `Fit.play`, so a notebook and a terminal show the same run.
Estimates and checks are made at planned rounds. Saving goes by the clock, because it changes nothing in the game.
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
from torch.utils.flop_counter import FlopCounterMode

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
    copies,
    gain_of_game,
    refused_snapshots,
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
    PictureDiscriminator,
    RectifierGenerator,
    ResidualGenerator,
    SignNoiseGenerator,
    StridedDiscriminator,
    TabularGenerator,
    build,
)
from saddlepoint.recipes import Plan
from saddlepoint.training import Game, ProcessRank, check_shapes, checked, rounds
from saddlepoint.training import checkpoint as checkpoints
from saddlepoint.training.autotune import measured_rate
from saddlepoint.training.compiling import CompiledRound

_STATES = {
    "reached": "not distinguishable at the tolerance",
    "plateau": "no longer improving",
    "diverging": "getting worse",
    "collapsed": "collapsed",
    "memorising": "memorising",
}


def stop_sentence(
    reason: Reason, round_: int, last: int, limit: float | None, spent: float, checks: CheckMonitor | None
) -> str:
    """Return why a fit ended, with the evidence of its checks.

    reason: the reason, as in the event `Stopped`.
    round_: the round at which it ended.
    last: the last round that was asked for.
    limit: seconds allowed, None without a limit.
    spent: seconds used.
    checks: the checks of the fit, None without --until.
    """
    minutes = f" ({spent / 60:.1f} minutes)"
    if reason in _STATES and checks is not None:
        state = checks.state_at(len(checks.history))
        power = _power(checks) if state.settled else ""  # where a defect was found, the power does not matter
        return f"stopped at round {round_:,} of {last:,}, {_STATES[reason]}: {state.evidence}{power}{minutes}"
    sentence = {
        "minutes": f"the limit of {(limit or 0) / 60:g} min is reached after {round_:,} of {last:,} rounds",
        "interrupted": f"interrupted after {round_:,} of {last:,} rounds; everything is saved",
    }.get(reason, f"all {round_:,} rounds are played")
    if checks is None or reason == "interrupted":
        return sentence + minutes
    state = checks.state_at(len(checks.history), spent=True)
    return f"{sentence}, {_STATES.get(state.name, 'not settled')}: {state.evidence}{_power(checks)}{minutes}"


def _power(checks: CheckMonitor) -> str:
    """Return which defects the validation rows would have revealed, so that "nothing found" has a meaning."""
    words = power_in_words(checks.plan.power)
    if words is None or not checks.history:
        return ""
    return f"; on {checks.plan.power[0]['rows']:,} validation rows {words}"


_START_PICTURES, _START_NUMBERS = (
    5_000,
    50_000_000,
)  # at most, for the PCA prior: pictures, and numbers in all of them


def build_pair(plan: Plan, encoder: Encoder) -> tuple[nn.Module, nn.Module]:
    """Return a plan's two networks, G and D, with their initial weights, which are a function of the seed."""
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
    """Fit the PCA prior of a convolutional generator to some of the training pictures, evenly spread.

    codes: the class number of each training row, (n,), or None.
    """
    if isinstance(generator, PCAPriorGenerator):
        most = max(2, min(len(train), _START_PICTURES, _START_NUMBERS // math.prod(encoder.shape)))
        some = slice(None, None, -(-len(train) // most))
        classes = None if codes is None else torch.from_numpy(np.ascontiguousarray(codes[some]))
        generator.init_from_data(encoder.encode(train.rows[some]), classes)


def multiply_adds_of(player: nn.Module) -> int:
    """Return the multiply-adds of one row: counted for convolutional networks; for others it is the number of weights."""
    if not isinstance(player, PCAPriorGenerator | PictureDiscriminator | StridedDiscriminator):
        return sum(each.numel() for each in player.parameters())
    module = copy.deepcopy(player).to("meta")  # shapes alone: nothing is computed
    width = player.noise_width if isinstance(player, PCAPriorGenerator) else None
    row = torch.empty(1, *(player.shape if width is None else (width,)), device="meta")
    condition = torch.empty(1, player.condition_width, device="meta") if player.condition_width else None
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(row, condition)
    return int(counter.get_total_flops()) // 2


_STRIP_ROWS = 16
_STRIPS = 8
_ROWS_TO_COMPARE = 2_000
_RECORDS_KEPT = 1000
_ROUNDS_BETWEEN_VOTES = 10
_WEAKER = "the memorisation test found copies of training rows in samples of the fitted MADE; a fit with fewer steps is kept"
_COPIES = (
    "the memorisation test (level 0.1) finds copies of training rows in samples of the fitted MADE, however few steps it is "
    "fitted for"
)
_DECISIONS: tuple[Any, ...] = ("remedy", *FINAL)
_PLAY_PER_SAVE = 20  # saving takes at most a twentieth of the time, however slow the disk is


class Fit:
    """The training of one model on one data set, from its first round to its last.

    train: rows to train on.
    encoder: the fitted encoder of these rows.
    plan: networks and settings.
    folder: where checkpoints go (None: nowhere).
    device: where the game is played (None: the CPU).
    threads: threads that torch may use.
    classes: class values; with them the model is conditional, P(x | y).
    class_shares: share of each class in the training rows.
    codes: class number of each training row, (n,).
    monitor: validation rows.
    checks: schedule of checks, None without --until.
    strip: whether samples from the same noise are shown at planned rounds (not for tables).
    save_seconds: seconds between two checkpoints.
    play_round: a compiled round, None for an eager one.
    start_steps: most steps to fit a table's start, None for the default.
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
        self.process = ProcessRank.of_this_process()
        self.device = device or torch.device("cpu")
        generator, discriminator = build_pair(plan, encoder)
        init_from_pictures(generator, train, encoder, codes)
        self.game = Game(generator, discriminator, plan.settings, device=self.device, process=self.process)
        self.batches = Batches(
            train,
            encoder,
            settings=plan.settings,
            process=self.process,
            device=self.device,
            codes=codes,
            class_count=len(classes or ()),
            masked=isinstance(generator, MADEGenerator),
        )
        self.started: PretrainResult | None = None
        self._train, self._monitor, self._codes, self._start_steps = train, monitor, codes, start_steps
        self.save_seconds = save_seconds
        self.play_round = play_round
        # Checks keep the best snapshot themselves, so there are no quick estimates beside them.
        selects = self.process.rank == 0 and checks is None
        self.selection = SnapshotSelection.create(train, monitor, plan.settings.horizon) if selects else None
        self._planned_check = (lambda round_: False) if checks is None else checks.due
        self.checks: CheckMonitor | None = None
        self.recovery: CollapseRecovery | None = None
        self._fresh: tuple[bool, str | None] = (False, None)
        self._recovery_due = False
        if checks is not None:
            if checks.on_collapse != "stop":
                self.recovery = CollapseRecovery(self.game, remedy=checks.on_collapse == "remedy")
            if self.process.rank == 0:
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
        """Restore the newest complete checkpoint; return the names of damaged newer ones, or None without a checkpoint.

        Raises:
            StoredFileError: checkpoints exist but none can be read, or they belong to another game.
        """
        if self.folder is None or (found := checkpoints.load(self.folder)) is None:
            return None
        checkpoints.restore(self.game, found)
        if self.selection is not None:
            self.selection.restore(found.tensors, found.facts)
        if self.recovery is not None:
            self.recovery.restore(self.game, found.tensors, found.facts)
        if self.checks is not None:
            self.checks.restore(found.tensors, found.facts)
        return found.skipped

    def measured_rate(self, seconds: float) -> float:
        """Return rounds per second, measured on a copy so that this game does not change."""
        with compute.threads(self.threads):
            measured = measured_rate(self.game, self.batches.from_round(self.round), seconds, self.play_round)
        rate = torch.tensor([measured], dtype=torch.float64)
        self.process.average_([rate])
        return float(rate)

    def measured_start(self, seconds: float) -> tuple[float, float] | None:
        """Return the seconds around the steps that fit a table's start, and the seconds of one step; None for other starts.

        Measured on a copy, so that this game does not change. The work after the last step costs about as much as the work
        before the first, so the first number is twice what is measured before the first step.
        """
        if not isinstance(self.game.generator, MADEGenerator):
            return None
        steps = self._pretraining(copy.deepcopy(self.game.generator), None)
        began = time.monotonic()
        with compute.threads(self.threads):
            next(steps)  # yielded before the closed-form initial weights
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
        """Play rounds and yield events, until a stop or the last round.

        until_round: the last round to play (None: the horizon).
        seconds: time limit (None: no limit).
        interrupted: returns True once the user wants to stop.

        Raises:
            GameError: a loss or gradient is not finite; the last good checkpoint is kept.
            InputError: this fit is already past until_round.
        """
        last = self.plan.settings.horizon if until_round is None else until_round
        if last < self.round:
            raise InputError(
                f"{last} rounds were asked for, but this run has played {self.round}; ask for more rounds, or sample from the "
                "run as it is."
            )
        begin = time.monotonic()
        next_save = begin + self.save_seconds
        reason: Reason = "rounds"
        if self.round == 0:
            yield from self._start()
            check_shapes(self.game, next(self.batches.from_round(0)))
            yield from self._measure()
            reason = self._vote(False, False) or reason
        left = last - self.round if reason == "rounds" else 0
        with compute.threads(self.threads):
            for record in checked(
                rounds(self.game, self.batches.from_round(self.round), left, self.play_round)
            ):
                yield Played(record=record, planned=record.round % self._records_every == 0)
                yield from self._measure()
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
        selection = self.selection
        if selection is not None and (not selection.history or selection.history[-1].round < self.round):
            estimate = selection.estimate_at_stop(self.playing(), self.game.sampler(), self.round)
            yield Estimated(round=estimate.round, jsd=estimate.jsd, error=estimate.error)
        yield from self._save()
        spent = time.monotonic() - begin
        sentence = stop_sentence(reason, self.round, last, seconds, spent, self.checks)
        yield Stopped(round=self.round, reason=reason, sentence=sentence)

    def model(self) -> Model:
        """Return the model to keep: the best snapshot, or the current average of G where nothing was estimated."""
        policy = self.selection or self.checks
        if policy is None:
            return self.playing()
        generator, kept = policy.choose(self.game.sampler())
        model = self.playing(generator)
        model.description |= {"kept_round": kept, "looks": policy.estimates()}
        return model

    def gain_of_game(self) -> str | None:
        """Return in words what the game gained over its fitted start, and what was refused as copies.

        None where there is no fitted start and nothing was refused.
        """
        generator, policy = self.game.generator, self.selection or self.checks
        if policy is None:
            return None
        estimates, kept = policy.estimates(), policy.choose(self.game.sampler())[1]
        start = start_in_words(generator)
        copied = None
        if self.started is not None and (self.started.weaker or self.started.copies):
            copied = _COPIES if self.started.copies else _WEAKER
        sentences = [
            copied,
            gain_of_game(estimates, kept, start) if starts_fitted(generator) else None,
            refused_snapshots(estimates, kept, start) if self.selection is not None else None,
        ]
        return "; ".join(sentence for sentence in sentences if sentence) or None

    def playing(self, generator: nn.Module | None = None) -> Model:
        """Return the current model: the average of G where there is one, else G itself."""
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
        """Fit a MADE generator to the training rows by maximum likelihood, before round 0."""
        generator = self.game.generator
        if not isinstance(generator, MADEGenerator):
            return
        tested = self._monitor is not None and len(self._train) < SMALL_TABLE
        with compute.threads(self.threads):
            self.started = yield from self._pretraining(generator, self._start_copies if tested else None)
        for buffer, value in zip(self.game.sampler().buffers(), generator.buffers(), strict=True):
            buffer.copy_(value)

    def _pretraining(
        self, generator: MADEGenerator, copied: Callable[[], bool] | None
    ) -> Generator[Pretraining, None, PretrainResult]:
        encoder = self.encoder
        if not isinstance(encoder, TableTransformer):
            raise TypeError("a MADE generator needs the encoder of a table")
        validation = codes = None
        good = np.zeros(0, dtype=bool)
        if self._monitor is not None:
            good = encoder.encodable(self._monitor.rows)
            validation = encoder.to_codes(self._monitor.rows[good]).to(self.device) if good.any() else None
        if self._codes is not None and self.classes is not None:
            known = {str(value): code for code, value in enumerate(self.classes)}
            labels = None if self._monitor is None else self._monitor.labels
            named = [] if labels is None else labels[good].tolist()
            validation_codes = torch.tensor([known.get(str(value), 0) for value in named])
            codes = torch.from_numpy(self._codes), validation_codes
        return pretrain(
            generator,
            encoder,
            self.batches.cell_codes,
            validation,
            seed=self.plan.settings.seed,
            codes=codes,
            most_steps=self._start_steps,
            copied=copied,
        )

    def _start_copies(self) -> bool:
        """Return whether samples of the start count as copies of training rows."""
        if self._monitor is None:
            return False
        rows, _ = self.playing(copy.deepcopy(self.game.generator)).draw(_ROWS_TO_COMPARE, random_state=0)
        return copies(self._train, self._monitor, rows)

    def _measure(self) -> Iterator[Event]:
        """Yield what is planned at this round: samples from the same noise, a quick estimate, or a check."""
        if self.round in self._strips:
            yield Sampled(round=self.round, rows=self._strip())
        if self.selection is not None and self.selection.due(self.round):
            estimate = self.selection.estimate(self.playing(), self.game.sampler(), self.round)
            yield Estimated(round=estimate.round, jsd=estimate.jsd, error=estimate.error)
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
        if self.folder is not None and self.process.rank == 0:
            tensors, facts = checkpoints.state_of(self.game), dict[str, Any]()
            for each in (self.selection, self.checks, self.recovery):
                more_tensors, more_facts = ({}, {}) if each is None else each.state()
                tensors, facts = tensors | more_tensors, facts | more_facts
            checkpoints.save(self.folder, self.round, tensors, facts)
            yield Saved(round=self.round)

    def _vote(self, interrupted: bool, over: bool) -> Reason | None:
        """Return the reason to stop, None to go on; the same on every rank.

        Any rank can ask to stop (interrupted, over: the time is up); only rank 0 decides by its checks.
        """
        safest, decision = self._fresh
        self._fresh = False, None
        code = 0 if decision is None else 1 + _DECISIONS.index(decision)
        votes = torch.tensor([interrupted, over, safest, code], dtype=torch.float64)
        if self.process.count > 1:
            if self.round % _ROUNDS_BETWEEN_VOTES and not self._planned_check(self.round):
                return None
            self.process.average_([votes := votes.to(self.device)])
        if self.recovery is not None and votes[2] > 0:
            self.recovery.remember(self.game)
        code = round(float(votes[3]) * self.process.count)
        decided = None if code == 0 else _DECISIONS[code - 1]
        self._recovery_due = decided == "remedy"
        if decided is not None and decided != "remedy":
            reason: Reason = decided
            return reason
        return "interrupted" if votes[0] > 0 else "minutes" if votes[1] > 0 else None

    def _recover(self) -> Iterator[Event]:
        """After a collapse, where the options ask for it: go back to the safest snapshot, on every rank."""
        if self._recovery_due and self.recovery is not None:
            self.recovery.apply(self.game)
            self._recovery_due = False
            yield RolledBack(round=self.round, sentence=self.recovery.sentence())


def planned_estimates(horizon: int) -> frozenset[int]:
    """Return the rounds at which samples are shown: 0, then doubling up to the horizon."""
    return frozenset({0, *(max(1, horizon >> halvings) for halvings in range(_STRIPS))})
