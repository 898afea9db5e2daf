"""The processes that torchrun has started for one job: what they tell each other, and how they learn together."""

from __future__ import annotations

import copy
import json
import os
import threading
import time
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Mapping, Optional

from .errors import BdgfError, Canceled, one_line
from .translation import tr

if TYPE_CHECKING:
    import torch

_PATIENCE = timedelta(days=7)  # for the others' work; whether they live is watched by torchrun
_POLL_S = 0.02
_FAILURE = "failure"
_TORCHRUN = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")

Message = tuple[Any, "dict[str, torch.Tensor]"]


class Lost(BdgfError):
    """Another process of the job has ended before its work was done."""

    def __init__(self) -> None:
        super().__init__(
            tr("Another process of this job ended before its work was done; see what torchrun tells of it.")
        )


class Processes:
    """``count`` processes work on one job, of which this is number ``rank``; on its machine it is number
    ``local_rank`` of ``local_count``. The first one speaks, writes the outputs and saves the states.

    All must call :meth:`agree`, :meth:`total`, :meth:`gathered` and :meth:`few` in the same order. A process by itself
    finds nothing to do in any method, and loads no torch for it.
    """

    def __init__(self, rank: int = 0, count: int = 1, local_rank: int = 0, local_count: int = 1) -> None:
        self.rank, self.count, self.local_rank, self.local_count = rank, count, local_rank, local_count
        self._stop = threading.Event()
        self._store: Any = None
        self._group: Any = None
        self._agreed: Counter[str] = Counter()
        self._sent: Counter[tuple[int, int]] = Counter()
        self._sending: list[Any] = []

    @classmethod
    def here(cls) -> Processes:
        """As torchrun says in the environment; one by itself where it says nothing."""
        if any(not os.environ.get(name, "").isdigit() for name in _TORCHRUN):
            return cls()
        return cls(*(int(os.environ[name]) for name in _TORCHRUN))

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def join(self, stop: threading.Event) -> None:
        """Meet the others. ``stop`` ends any waiting for them. Raises :class:`BdgfError` where they are not found."""
        if self.count == 1:
            return
        import torch
        from torch.distributed import distributed_c10d as distributed
        from torch.distributed.rendezvous import rendezvous

        self._stop = stop
        # torchrun says 1 where nobody has chosen.
        if os.environ.get("OMP_NUM_THREADS", "1") == "1":
            torch.set_num_threads(max(1, _cores() // self.local_count))
        try:
            store, _, _ = next(rendezvous("env://", timeout=_PATIENCE))
            self._store = distributed.PrefixStore("bdgf", store)
            distributed.init_process_group(
                "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo",
                store=distributed.PrefixStore("torch", store), rank=self.rank, world_size=self.count,
                timeout=_PATIENCE,
            )  # fmt: skip
        except (RuntimeError, ValueError) as error:
            raise BdgfError(
                tr(
                    "The processes of this job do not find each other ({reason}); check the address and the port that "
                    "torchrun was given.",
                    reason=str(error).splitlines()[0][:200],
                )
            ) from error

    def leave(self) -> None:
        """At the end of a job that went well; one that is gone already harms nobody any more."""
        if self.count > 1:
            import torch
            from torch import distributed

            try:
                self.total(torch.zeros(1))  # the first one may be the one that keeps the store
                distributed.destroy_process_group()
            except RuntimeError:
                pass

    def agree(self, value: Any = None) -> Any:
        """What the first process has as ``value``, strict JSON, for all: the others wait for it."""
        if self.count == 1:
            return value
        key = f"agreed {self._agreed['']}"
        self._agreed[""] += 1
        if self.is_first:
            self._store.set(key, json.dumps(value, allow_nan=False))
            return value
        return json.loads(self._awaited(key))

    def send(self, tensors: Mapping[str, torch.Tensor], document: Any = None, *, to: int = 0) -> None:
        """``document`` is strict JSON. Does not wait for the receiver, but for what was sent before the last time."""
        import torch
        from safetensors.torch import save
        from torch import distributed

        plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        data = torch.frombuffer(bytearray(save(plain)), dtype=torch.uint8)
        while len(self._sending) > 1:
            self._sending.pop(0)[0].wait()
        self._store.set(self._letter(self.rank, to), json.dumps([len(data), document], allow_nan=False))
        self._sending.append((distributed.isend(data, to), data))

    def receive(self, source: int) -> Message:
        """What :meth:`send` of process ``source`` gave next: its document and its tensors."""
        import torch
        from safetensors.torch import load
        from torch import distributed

        size, document = json.loads(self._awaited(self._letter(source, self.rank)))
        data = torch.empty(size, dtype=torch.uint8)
        distributed.recv(data, source)
        return document, load(data.numpy().tobytes())

    def hand_out(self, tensors: Mapping[str, torch.Tensor], document: Any = None) -> Message:
        """What the first process gives, for all."""
        if not self.is_first:
            return self.receive(0)
        for other in range(1, self.count):
            self.send(tensors, document, to=other)
        return document, dict(tensors)

    def total(self, tensor: torch.Tensor) -> torch.Tensor:
        """The sum over all processes, in place."""
        if self.count > 1:
            from torch import distributed

            distributed.all_reduce(tensor, group=self._group)
        return tensor

    def gathered(self, tensor: torch.Tensor) -> torch.Tensor:
        """(count, …): the tensors of all processes."""
        import torch

        if self.count == 1:
            return tensor[None]
        from torch import distributed

        found = [torch.empty_like(tensor) for _ in range(self.count)]
        distributed.all_gather(found, tensor.contiguous(), group=self._group)
        return torch.stack(found)

    def few(self, most: int) -> Processes:
        """The first ``most`` of them, who may learn together while the others go on; they must not agree on anything
        meanwhile."""
        if self.count <= most:
            return self
        from torch import distributed

        few = copy.copy(self)
        few.count, few._group = most, distributed.new_group(list(range(most)))
        return few

    def share(self, network: torch.nn.Module) -> None:
        """Prepare ``network`` to learn from parts of one batch: all begin with the first one's weights, and batch norms
        see the samples of all."""
        if self.count > 1:
            from torch import distributed

            from .shared_norm import share_norms

            for tensor in network.state_dict().values():
                distributed.broadcast(tensor, 0, group=self._group)
            share_norms(network, self)

    def total_gradients(self, network: torch.nn.Module) -> None:
        """After a backward pass: leave in ``network`` the sum of all processes' gradients."""
        if self.count == 1:
            return
        import torch

        gradients = [weight.grad for weight in network.parameters() if weight.grad is not None]
        sizes = [gradient.numel() for gradient in gradients]
        whole = self.total(torch.cat([gradient.flatten() for gradient in gradients]))
        for gradient, part in zip(gradients, whole.split(sizes)):  # type: ignore[no-untyped-call]
            gradient.copy_(part.view_as(gradient))

    def failed(self, kind: str, text: str) -> None:
        """Tells the others of what this process ends, unless one of them was first."""
        if self._store is not None:
            try:
                self._store.compare_set(_FAILURE, "", json.dumps([kind, one_line(text)]))
            except RuntimeError:
                pass  # who kept the store is gone

    @property
    def failure(self) -> Optional[tuple[str, str]]:
        """Kind and sentence of what one of the processes has failed of first."""
        try:
            if self._store is None or not self._store.check([_FAILURE]):
                return None
            kind, text = json.loads(self._store.get(_FAILURE))
            return kind, text
        except RuntimeError:
            return None

    def _letter(self, source: int, target: int) -> str:
        self._sent[source, target] += 1
        return f"from {source} to {target}: {self._sent[source, target]}"

    def _awaited(self, key: str) -> str:
        pause = _POLL_S / 16
        while not self._store.check([key]):
            if self._stop.is_set():
                raise Canceled
            if self.failure:
                raise Lost
            time.sleep(pause)
            pause = min(2 * pause, _POLL_S)
        found: bytes = self._store.get(key)
        return found.decode()


ALONE = Processes()


def is_of_another(error: BaseException) -> bool:
    """Whether an exception says no more than that another process is gone."""
    told = str(error)
    named = type(error).__name__.startswith("Dist") or "gloo" in told or "NCCL" in told
    return isinstance(error, Lost) or isinstance(error, RuntimeError) and (named or "onnection" in told)


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # Windows and macOS
        return os.cpu_count() or 1
