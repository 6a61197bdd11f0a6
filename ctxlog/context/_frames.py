"""
The frames that a context is made of, and the rules for leaving them.

One `ContextVar` holds the current frame. A frame refers to the store and to the frame
below it. All who hold it (the outer middleware, a task that was started earlier, a
worker thread) see what is bound later, since that is written to the store.
"""

from __future__ import annotations

from contextvars import ContextVar, Token

from ctxlog.context._store import Store, View

# The initial view of a frame: different from that of every store.
_NOT_MADE = View({}, None)

# The source of a frame without a store, so that reading a view needs no branch.
_NO_STORE = Store.__new__(Store)
_NO_STORE._view = View({}, None)


class Frame:
    """
    One entry of the context: a store, a scope over it, or nothing.

    Attributes:
        store: The innermost store, or None.
        source: The store, or `_NO_STORE`: its view is the newest one.
        parent: The frame that was current when this one was entered.
        overlay: The merged fields of all scopes over the store.
        left: Whether its block has ended, here or in another context.
        view: The last view that was made of the frame.
        owner: The object that entered it in a `with` statement, if any.
        token: Proof of the `contextvars.Context` that the statement was in. None after
            that context has left the frame.
    """

    __slots__ = (
        "left",
        "overlay",
        "owner",
        "parent",
        "source",
        "store",
        "token",
        "view",
    )

    def __init__(
        self,
        store: Store | None,
        parent: Frame | None,
        overlay: dict[str, object] | None = None,
    ) -> None:
        self.store = store
        self.source = _NO_STORE if store is None else store
        self.parent = parent
        self.overlay = overlay
        self.left = False
        self.view = _NOT_MADE
        self.owner: object = None
        self.token: Token[Frame | None] | None = None

    def refresh(self) -> View:
        """Make and return the view anew, after a write to the store."""
        view = newest = self.source._view
        if self.overlay:
            # The view refers to its base: both change by one assignment, so another
            # thread that shares the frame never sees one without the other.
            merged = {**newest.fields, **self.overlay}
            view = View(merged, newest.started, newest.late, newest.lines, newest)
        self.view = view
        return view

    def current(self) -> View:
        """Return the view of a line that is logged in this frame now."""
        view = self.view
        newest = self.source._view
        if view is newest or view.base is newest:
            return view
        return self.refresh()

    def end(self) -> None:
        """Note that the block has ended."""
        self.left = True


class ImplicitFrame(Frame):
    """A frame of a store that `bind()` made because there was none."""

    __slots__ = ()

    def __init__(self, store: Store, below: Frame | None) -> None:
        super().__init__(store, below, None if below is None else below.overlay)


class ScopeFrame(Frame):
    """A frame that lays fields over the one below it."""

    __slots__ = ()


class TemporaryFrame(Frame):
    """A frame that is empty after its block has ended, and keeps nothing alive."""

    __slots__ = ()

    def end(self) -> None:
        """Note that the block has ended, and forget what the frame referred to."""
        self.left = True
        self.store = self.parent = self.overlay = self.token = None
        self.source = _NO_STORE
        self.view = _NO_STORE._view


#: The frame that is active, if any.
current: ContextVar[Frame | None] = ContextVar("ctxlog", default=None)

# A method of an imported name is looked up at each call; these are not.
get_current = current.get
set_current = current.set


def leave(frame: Frame) -> bool:
    """
    End `frame`; if it is in the current chain, its nearest open ancestor is next.

    Blocks are left out of order, twice, by another task, by the garbage collector. In
    all these cases the fields of `frame` are gone, and no frame that was left becomes
    current again. Return whether the current context was in `frame`.
    """
    below = frame.parent
    frame.end()
    node = get_current()
    implicit = None
    while node is not frame:
        if type(node) is ImplicitFrame:
            implicit = node.store
        elif node is None or not _ends_with(node, frame):
            return False
        node = node.parent
    if type(below) is ScopeFrame:
        below = standing(below)
    if implicit is not None and type(frame) is ScopeFrame:
        # `bind()` writes to the store, never to a scope: the store outlives the block.
        below = ImplicitFrame(implicit, below)
    if frame.token is not None:
        _was_opened_here(frame)
    set_current(below)
    return True


def _ends_with(upper: Frame, frame: Frame) -> bool:
    """
    Return whether `upper`, which lies over `frame`, ends with it.

    A block that a handler never left does not outlive its request. Two kinds of frames
    stay, since neither will come back to `frame` (see `standing`): those of functions
    that are still running (`run()`, a decorated function), and those that hide a scope.
    """
    if upper.token is None:
        return False
    return type(upper) is ScopeFrame or type(frame) is not ScopeFrame


def _was_opened_here(frame: Frame) -> bool:
    """
    Return whether this `contextvars.Context` entered `frame`; true only once.

    The only way to find out is to use up the token. That also ends a reference cycle:
    the token refers to the context, and that to the frame. The caller sets `current`
    afterwards.
    """
    if frame.token is None:
        return False
    try:
        current.reset(frame.token)
    except (ValueError, RuntimeError):
        return False
    frame.token = None
    return True


def standing(frame: Frame | None) -> Frame | None:
    """
    Return the nearest frame from `frame` down that this context has not left.

    A scope that ended in another context may have been opened there, too: a task that
    was started in it keeps its fields. The caller sets `current` afterwards.
    """
    while type(frame) is ScopeFrame and frame.left and _was_opened_here(frame):
        frame = frame.parent
    return frame


def is_outermost(frame: Frame) -> bool:
    """Return whether the store of `frame` is not that of the frame below it, too."""
    below = frame.parent
    return below is None or below.store is not frame.store


def open_ancestor(frame: Frame | None) -> Frame | None:
    """
    Return the nearest frame from `frame` down whose block has not ended.

    A frame that is opened over an ended one gets this one as its parent: the chain of
    a timer that starts itself again must not grow without bounds.
    """
    while frame is not None and frame.left:
        frame = frame.parent
    return frame
