"""*Open in the Model Designer* for the chains, where the Toolbox offers to edit a user's own models only."""

from __future__ import annotations

from typing import Any

from .chains import ChainAlgorithm
from .translation import tr

_actions: list[Any] = []


def register() -> None:
    """Where there is a Toolbox: not under qgis_process."""
    try:
        from processing.gui.ContextAction import ContextAction
        from processing.gui.ProviderActions import ProviderContextMenuActions
    except ImportError:
        return

    class OpenChainAction(ContextAction):
        def __init__(self) -> None:
            super().__init__()
            self.name = tr("Open in the Model Designer…")

        def isEnabled(self) -> bool:
            return isinstance(self.itemData, ChainAlgorithm)

        def execute(self) -> None:
            open_chain(self.itemData)

    _actions.append(OpenChainAction())
    ProviderContextMenuActions.registerProviderContextMenuActions(_actions)


def unregister() -> None:
    if _actions:
        from processing.gui.ProviderActions import ProviderContextMenuActions

        ProviderContextMenuActions.deregisterProviderContextMenuActions(_actions)
        _actions.clear()


def open_chain(chain: ChainAlgorithm) -> Any:
    """The designer's window with a copy: saving it asks for a name, and the plugin's file stays."""
    from processing.modeler.ModelerDialog import ModelerDialog

    dialog = ModelerDialog.create(chain.copy())
    dialog.show()
    dialog.activate()
    return dialog
