"""A pair for rows encoded by a Gaussian mixture: (one-hot component of K, whitened offset u within the component).

The encoding is mode-specific normalisation, as in CTGAN (Xu et al. 2019, arXiv 1907.00503), with full covariances. The mixture
is fitted elsewhere (`data/encoders/gaussian_mixture.py`); `init_from_data` copies its weights, means and factors into buffers.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from saddlepoint.aliases import modernise_tensors
from saddlepoint.networks.mlp import ResidualBlock, concat_condition, leaky

EXTRA_NOISE = 8
"""Numbers of noise beyond those that the mixture itself takes."""
_TEMPERATURE = 0.5


def one_hot(codes: Tensor, count: int, dtype: torch.dtype) -> Tensor:
    """Return codes (batch,) as one-hot rows (batch, count).

    torch's own one_hot reads the codes back from the device, and the round would wait for that.
    """
    return (codes[:, None] == torch.arange(count, device=codes.device)).to(dtype)


class MixtureComponents(nn.Module):
    """A Gaussian mixture as buffers: component c maps u ~ N(0, 1) to x = m_c + L_c u.

    Buffers: shares (classes or 1, K), the weights of the components (in each class); means m (K, width); factors L
    (K, width, width).
    """

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
        """Copy a fitted mixture: its shares, means and factors."""
        for buffer, values in ((self.shares, shares), (self.means, means), (self.factors, factors)):
            buffer.copy_(values)

    def sample_components(self, z: Tensor, condition: Tensor | None) -> Tensor:
        """Return one-hot components (batch, K) for z ~ N(0, 1), (batch,): their inverse distribution function at Phi(z)."""
        cumulative = self.shares.cumsum(1).to(z.dtype)
        cumulative = (
            cumulative[0].expand(len(z), -1) if condition is None else condition.to(z.dtype) @ cumulative
        )
        codes = (cumulative[:, :-1] < torch.special.ndtr(z)[:, None]).sum(1)
        return one_hot(codes, self.components, z.dtype)

    def decode(self, code: Tensor, local: Tensor) -> Tensor:
        """Return x = sum_c code_c (m_c + L_c u), (batch, width), for codes (batch, K) and offsets u (batch, width)."""
        means, factors = self.means.to(code.dtype), self.factors.to(code.dtype)
        factors = (code @ factors.flatten(1)).view(-1, self.width, self.width)
        x: Tensor = code @ means + torch.einsum("bij,bj->bi", factors, local)
        return x


class ResidualMLP(nn.Module):
    """A residual MLP (He et al. 2015, arXiv 1512.03385), (batch, inputs) -> (batch, outputs).

    from_zero: the last layer starts at zero.
    """

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


def _rename_old_tensors(_: nn.Module, state: dict[str, Any], prefix: str, *rest: Any) -> None:
    """Rename the tensors in the state dict of an earlier version."""
    modernise_tensors(state, prefix)


class MixtureGenerator(nn.Module):
    """A generator that starts as a Gaussian mixture: noise (batch, noise_width) -> (one-hot component, u), (batch, K + width).

    start="mixture": the component is drawn by its weight, and u = n + h(x, extra, component) with n ~ N(0, 1) and x the point
    that n decodes to. h starts at zero, so before the first round G samples the mixture exactly.
    start="learned": one network chooses the component by a straight-through Gumbel-softmax (Jang et al. 2017, arXiv
    1611.01144), another makes u; G gets neither the components' weights nor normal offsets.

    Noise: [choice of the component (1) | n (local_width) | extra | K numbers for Gumbel noise, if learned], all N(0, 1). A
    condition (batch, condition_width) selects the class's weights and is appended to the noise.

    components: K.
    local_width: the dimension of u.
    width, blocks: of the residual MLP h.
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
        self.register_load_state_dict_pre_hook(_rename_old_tensors)  # type: ignore[no-untyped-call]
        base = 0 if start == "learned" else local_width
        inputs = noise_width - 1 - (components if start == "learned" else 0) + condition_width
        self.local = ResidualMLP(
            inputs + base + components, width, blocks, local_width, from_zero=start == "mixture"
        )
        self.choice = ResidualMLP(inputs, width, 1, components) if start == "learned" else None

    @staticmethod
    def noise_for(components: int, local_width: int, start: str) -> int:
        """Return the noise_width of a generator with these arguments."""
        return 1 + local_width + EXTRA_NOISE + (components if start == "learned" else 0)

    @torch.no_grad()
    def reset_to_start(self) -> None:
        """Undo the training of a generator with start="mixture": it samples the fitted mixture again."""
        nn.init.zeros_(self.local.leave.weight)
        nn.init.zeros_(self.local.leave.bias)

    def base(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return samples of the fitted mixture, (batch, K + width): where start="mixture" begins."""
        return torch.cat([self.components.sample_components(z[:, 0], condition), self._normal(z)], 1)

    def forward(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return encoded rows (batch, K + width)."""
        if self.choice is not None:
            noise = concat_condition(
                z[:, 1 : self.noise_width - self.components.components], condition, self.condition_width
            )
            code = self._gumbel_softmax(
                self.choice(noise), z[:, self.noise_width - self.components.components :]
            )
            return torch.cat([code, self.local(torch.cat([noise, code], 1))], 1)
        code, normal = self.components.sample_components(z[:, 0], condition), self._normal(z)
        noise = concat_condition(z[:, 1:], condition, self.condition_width)
        x = self.components.decode(code, normal)
        return torch.cat([code, normal + self.local(torch.cat([x, noise, code], 1))], 1)

    def _normal(self, z: Tensor) -> Tensor:
        return z[:, 1 : 1 + self.components.width]

    def _gumbel_softmax(self, logits: Tensor, z: Tensor) -> Tensor:
        """Return one-hot draws (batch, K); backward, the gradient of the softmax at temperature 1/2."""
        gumbel = -torch.log(-torch.log(torch.special.ndtr(z.clamp(-5, 5))))
        soft = torch.softmax((logits + gumbel) / _TEMPERATURE, 1)
        hard = one_hot(soft.argmax(1), self.components.components, soft.dtype)
        return hard + soft - soft.detach()


class MixtureDiscriminator(nn.Module):
    """A residual MLP on encoded rows (batch, K + width) [and a condition]: logits (batch, 1).

    Its input is (component, u, x): the one-hot component, the whitened offset, and the decoded point x = m_c + L_c u. With
    start="mixture" components are drawn and not learnt, so D's gradient with respect to the component is cut, and a gradient
    penalty does not include it. No noise, no dropout.

    components, local_width: K and the dimension of u.
    width, blocks: of the residual MLP.
    start: as in `MixtureGenerator`.
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
        self.register_load_state_dict_pre_hook(_rename_old_tensors)  # type: ignore[no-untyped-call]
        self.trunk = ResidualMLP(components + 2 * local_width + condition_width, width, blocks, 1)

    def forward(self, rows: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return logits (batch, 1) of encoded rows (batch, K + width)."""
        code, local = rows[:, : self.components.components], rows[:, self.components.components :]
        if self.start == "mixture":
            code = code.detach()
        inputs = torch.cat([code, local, self.components.decode(code, local)], 1)
        logit: Tensor = self.trunk(concat_condition(inputs, condition, self.condition_width))
        return logit
