"""A pair that plays in charts: rows are a one-hot chart of K and `width` local coordinates in it.

A network does not know where charts come from; `init_from_data` gives it their weights, means and factors, which it keeps as
buffers beside its weights.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from saddlepoint.aliases import modernise_tensors
from saddlepoint.networks.mlp import ResidualBlock, concat_condition, leaky

EXTRA_NOISE = 8
_TEMPERATURE = 0.5


def one_hot(codes: Tensor, count: int, dtype: torch.dtype) -> Tensor:
    """Return (batch, count); unlike torch's own it does not read the codes back, so that no round waits for them."""
    return (codes[:, None] == torch.arange(count, device=codes.device)).to(dtype)


class MixtureComponents(nn.Module):
    """Charts x = m_c + L_c u as buffers: shares (classes or 1, K), means (K, width), factors (K, width, width)."""

    shares: Tensor
    means: Tensor
    factors: Tensor

    def __init__(self, components: int, width: int, classes: int) -> None:
        super().__init__()
        self.components, self.width = components, width
        self.register_buffer("shares", torch.full((max(1, classes), components), 1.0 / components))
        self.register_buffer("means", torch.zeros(components, width))
        self.register_buffer("factors", torch.eye(width).repeat(components, 1, 1))

    @torch.no_grad()
    def init_from_data(self, shares: Tensor, means: Tensor, factors: Tensor) -> None:
        """Take over fitted charts."""
        for buffer, values in ((self.shares, shares), (self.means, means), (self.factors, factors)):
            buffer.copy_(values)

    def drawn(self, z: Tensor, condition: Tensor | None) -> Tensor:
        """Return one-hot charts (batch, K) for z ~ N(0, 1), (batch,): the inverse of their distribution at Phi(z)."""
        heights = self.shares.cumsum(1).to(z.dtype)
        heights = heights[0].expand(len(z), -1) if condition is None else condition.to(z.dtype) @ heights
        codes = (heights[:, :-1] < torch.special.ndtr(z)[:, None]).sum(1)
        return one_hot(codes, self.components, z.dtype)

    def place(self, code: Tensor, local: Tensor) -> Tensor:
        """Return x = sum_c code_c (m_c + L_c u), (batch, width)."""
        means, factors = self.means.to(code.dtype), self.factors.to(code.dtype)
        factors = (code @ factors.flatten(1)).view(-1, self.width, self.width)
        x: Tensor = code @ means + torch.einsum("bij,bj->bi", factors, local)
        return x


class ResidualMLP(nn.Module):
    """A residual perceptron between two widths; its last layer starts at zero if asked."""

    def __init__(
        self, inputs: int, width: int, blocks: int, outputs: int, *, from_zero: bool = False
    ) -> None:
        super().__init__()
        self.enter = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList(ResidualBlock(width) for _ in range(blocks))
        self.leave = nn.Linear(width, outputs)
        if from_zero:
            nn.init.zeros_(self.leave.weight)
            nn.init.zeros_(self.leave.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return (batch, outputs)."""
        h = self.enter(inputs)
        for block in self.blocks:
            h = block(h)
        out: Tensor = self.leave(leaky(h))
        return out


def _by_todays_names(_: nn.Module, state: dict[str, Any], prefix: str, *rest: Any) -> None:
    """Take the state dict of an earlier version, whose tensors had other names."""
    modernise_tensors(state, prefix)


class MixtureGenerator(nn.Module):
    """G from noise to (code, local coordinates), (batch, K + width).

    start="mixture": the chart is drawn by its weight, u = n + h(n, z, code), and h starts at zero: before the first round
    G samples the mixture of the charts itself, exactly. start="learned": a network chooses the chart (Gumbel-softmax,
    straight through: Jang et al. 2017, arXiv 1611.01144) and another u from scratch; neither the charts' weights nor
    normal shapes are given. Noise: [choice | n | extra | Gumbel draws], all from N(0, 1).
    """

    uniforms = 0

    def __init__(
        self,
        *,
        noise_width: int,
        components: int,
        local_width: int,
        width: int = 128,
        blocks: int = 2,
        start: str = "mixture",
        condition_width: int = 0,
    ) -> None:
        super().__init__()
        self.start, self.condition_width, self.noise_width = start, condition_width, noise_width
        self.components = MixtureComponents(components, local_width, condition_width)
        self.register_load_state_dict_pre_hook(_by_todays_names)  # type: ignore[no-untyped-call]
        base = 0 if start == "learned" else local_width
        inputs = noise_width - 1 - (components if start == "learned" else 0) + condition_width
        self.local = ResidualMLP(
            inputs + base + components, width, blocks, local_width, from_zero=start == "mixture"
        )
        self.choice = ResidualMLP(inputs, width, 1, components) if start == "learned" else None

    @staticmethod
    def noise_for(components: int, local_width: int, start: str) -> int:
        """Return how many numbers of noise such a generator takes."""
        return 1 + local_width + EXTRA_NOISE + (components if start == "learned" else 0)

    @torch.no_grad()
    def reset_to_start(self) -> None:
        """Take back all that the game taught a generator that starts in charts: it samples their mixture again."""
        nn.init.zeros_(self.local.leave.weight)
        nn.init.zeros_(self.local.leave.bias)

    def base(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return draws of the mixture that the charts are, (batch, K + width): what "charts" starts from."""
        return torch.cat([self.components.drawn(z[:, 0], condition), self._normal(z)], 1)

    def forward(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return encoded rows (batch, K + width)."""
        if self.choice is not None:
            noise = concat_condition(
                z[:, 1 : self.noise_width - self.components.components], condition, self.condition_width
            )
            code = self._chosen(self.choice(noise), z[:, self.noise_width - self.components.components :])
            return torch.cat([code, self.local(torch.cat([noise, code], 1))], 1)
        code, normal = self.components.drawn(z[:, 0], condition), self._normal(z)
        noise = concat_condition(z[:, 1:], condition, self.condition_width)
        where = self.components.place(code, normal)
        return torch.cat([code, normal + self.local(torch.cat([where, noise, code], 1))], 1)

    def _normal(self, z: Tensor) -> Tensor:
        return z[:, 1 : 1 + self.components.width]

    def _chosen(self, logits: Tensor, z: Tensor) -> Tensor:
        gumbel = -torch.log(-torch.log(torch.special.ndtr(z.clamp(-5, 5))))
        soft = torch.softmax((logits + gumbel) / _TEMPERATURE, 1)
        hard = one_hot(soft.argmax(1), self.components.components, soft.dtype)
        return hard + soft - soft.detach()


class MixtureDiscriminator(nn.Module):
    """D on (code, u, x): it sees the local coordinates and, through the charts, where the row lies as a whole.

    Where charts are drawn and not learnt (start="mixture"), D's slope along the code is nobody's business: a penalty on
    D's gradient is then one on the slope along u alone.
    """

    uniforms = 0

    def __init__(
        self,
        *,
        components: int,
        local_width: int,
        width: int = 128,
        blocks: int = 2,
        start: str = "mixture",
        condition_width: int = 0,
    ) -> None:
        super().__init__()
        self.start, self.condition_width = start, condition_width
        self.components = MixtureComponents(components, local_width, condition_width)
        self.register_load_state_dict_pre_hook(_by_todays_names)  # type: ignore[no-untyped-call]
        self.trunk = ResidualMLP(components + 2 * local_width + condition_width, width, blocks, 1)

    def forward(self, rows: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return logits (batch, 1) of encoded rows (batch, K + width)."""
        code, local = rows[:, : self.components.components], rows[:, self.components.components :]
        if self.start == "mixture":
            code = code.detach()
        seen = torch.cat([code, local, self.components.place(code, local)], 1)
        logit: Tensor = self.trunk(concat_condition(seen, condition, self.condition_width))
        return logit
