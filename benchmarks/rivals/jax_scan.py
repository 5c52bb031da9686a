"""JAX + optax, many rounds in one jitted scan: python benchmarks/rivals/jax_scan.py GAME (games a, b, d)

Runs in a separate environment (JAX and optax, no torch). XLA is limited to one thread, like all rivals.
"""

from __future__ import annotations

import os
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
sys.path.insert(0, str(Path(__file__).resolve().parent))

import jax
import jax.numpy as jnp
import optax
from turns import take_turns

CHUNK = {"a": 20, "d": 20, "b": 2}


def layers(key: Any, widths: list[int], scale: float | None = None) -> list[Any]:
    """Return weights and biases of dense layers."""
    made = []
    for a, b in pairwise(widths):
        key, sub = jax.random.split(key)
        bound = scale or a**-0.5
        made.append((jax.random.uniform(sub, (a, b), minval=-bound, maxval=bound), jnp.zeros(b)))
    return made


def dense(parameters: list[Any], h: Any) -> Any:
    """Return the outputs of an MLP of rectifiers with a linear last layer."""
    for weight, bias in parameters[:-1]:
        h = jax.nn.relu(h @ weight + bias)
    return h @ parameters[-1][0] + parameters[-1][1]


def maxout(parameters: list[Any], h: Any, key: Any) -> Any:
    """Return logits of the paper's discriminator with dropout."""
    for place, (weight, bias) in enumerate(parameters):
        keep = 0.8 if place == 0 else 0.5
        key, sub = jax.random.split(key)
        h = h * jax.random.bernoulli(sub, keep, h.shape) / keep
        h = h @ weight + bias
        if place < 2:
            h = h.reshape(len(h), 240, 5).max(2)
    return h[:, 0]


def main(name: str) -> None:
    """Play a game, with CHUNK rounds in each call of the compiled scan."""
    keys = jax.random.split(jax.random.key(0), 3)
    batch = 100 if name == "b" else 256
    if name == "b":
        g = layers(keys[0], [100, 1200, 1200, 784], 0.05)
        d = [
            *layers(keys[1], [784, 1200], 0.005),
            *layers(keys[1], [240, 1200], 0.005),
            *layers(keys[1], [240, 1], 0.005),
        ]
        data, optimiser = jax.random.uniform(keys[2], (5_000, 784)), optax.sgd(0.05, momentum=0.5)
    else:
        g, d = layers(keys[0], [2, 128, 128, 2]), layers(keys[1], [2, 128, 128, 1])
        data, optimiser = jax.random.normal(keys[2], (10_000, 2)), optax.adam(2e-4, b1=0.5)

    def generate(g: Any, z: Any) -> Any:
        return jax.nn.sigmoid(dense(g, z)) if name == "b" else dense(g, z)

    def criticise(d: Any, rows: Any, key: Any) -> Any:
        return maxout(d, rows, key) if name == "b" else dense(d, rows)[:, 0]

    def d_loss(d: Any, real: Any, fake: Any, ones: Any) -> Any:
        loss = (
            jax.nn.softplus(-criticise(d, real, ones[0])).mean()
            + jax.nn.softplus(criticise(d, fake, ones[1])).mean()
        )
        if name == "d":
            for rows in (real, fake):
                slope = jax.grad(lambda x: criticise(d, x, None).sum())(rows)
                loss += 0.5 * (slope**2).sum(1).mean()
        return loss

    def g_loss(fake: Any, d: Any, key: Any) -> Any:
        return jax.nn.softplus(-criticise(d, fake, key)).mean()

    def one(carry: Any, key: Any) -> Any:
        g, d, gs, ds = carry
        ks = jax.random.split(key, 4)
        real = data[jax.random.randint(ks[0], (batch,), 0, len(data))]
        z = jax.random.normal(ks[1], (batch, 100 if name == "b" else 2))
        fake, back = jax.vjp(lambda g: generate(g, z), g)
        loss, dg = jax.value_and_grad(d_loss)(d, real, fake, ks[2:])
        update, ds = optimiser.update(dg, ds, d)
        new_d = optax.apply_updates(d, update)
        against = d if name == "b" else new_d
        other, pull = jax.value_and_grad(g_loss)(fake, against, ks[3])
        update, gs = optimiser.update(back(pull)[0], gs, g)
        return (optax.apply_updates(g, update), new_d, gs, ds), (loss, other)

    run = jax.jit(
        lambda carry, key: jax.lax.scan(one, carry, jax.random.split(key, CHUNK[name])), donate_argnums=0
    )
    carry, turn = (g, d, optimiser.init(g), optimiser.init(d)), 0
    began = time.process_time()
    carry, _ = jax.block_until_ready(run(carry, jax.random.key(1)))
    first = time.process_time() - began

    def play(count: int) -> None:
        nonlocal carry, turn
        for _ in range(count // CHUNK[name]):
            turn += 1
            carry, losses = run(carry, jax.random.key(turn))
            jax.block_until_ready(losses)

    take_turns(play, first_rounds_cpu=first)


main(*sys.argv[1:])
