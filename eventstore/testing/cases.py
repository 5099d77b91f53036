"""What every contract suite stands on: groups of cases, some of which need what not everybody can do."""

from typing import Any, ClassVar


class Cases:
    """The base of a group of cases.

    Attributes:
        needs: the name of the attribute without which this group is left out, such as `shares_log`.
    """

    needs: ClassVar[str | None] = None

    def __init_subclass__(cls, **keywords: Any) -> None:
        """Leaves out the cases of what a subclass says it cannot do."""
        super().__init_subclass__(**keywords)
        for parent in cls.__mro__:
            if issubclass(parent, Cases) and parent.needs and not getattr(cls, parent.needs):
                for name in vars(parent):
                    if name.startswith("test_"):
                        setattr(cls, name, None)
