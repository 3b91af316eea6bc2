"""Every error becomes one line and an exit code; what nobody foresaw leaves its traceback in a file, too."""

from __future__ import annotations

import itertools
import re
import sys
import tempfile
import traceback

from typer.exceptions import TyperException

from bench.files import NO_ROOM
from studies.cli.console import FAILED_TRIALS, UNFORESEEN, USAGE, UsageError

MENDABLE = {
    "studies.ledger.patience": ("StorageGone",),  # before what it is one of
    "studies.running.arithmetic": ("MixedArithmeticError",),
    "optuna.exceptions": ("StorageInternalError",),
    "sqlalchemy.exc": ("SQLAlchemyError",),
    "studies.data.dataset": ("DataError",),
    "studies.design.levels": ("DesignError",),
    "studies.findings.importing": ("ForeignResultsError",),
    "studies.findings.merging": ("MergeError",),
    "studies.findings.saved": ("ExportError",),
    "studies.ledger.entries": ("LedgerError",),
    "studies.ledger.samplers": ("SearchError",),
    "studies.ledger.tally": ("TallyError",),
    "studies.statistics.screening": ("RunsError",),
    "studies.report.models.formats": ("HandoverError",),
    "studies.report.releasing": ("ReleaseError",),
    "studies.report.pictures.weights_file": ("LookError",),
    "studies.running.cluster": ("ClusterError",),
    "studies.training.curves": ("DivergedError",),
    "studies.training.recipe": ("RecipeError",),
    "studies.training.weights": ("WeightsError",),
    "studies.trial.plugins": ("PluginError",),
    "vit.config": ("ConfigError",),
    "vit.inputs": ("InputError",),
    "vit.interop.source": ("InteropError",),
    "vit.pretrained": ("PretrainedError",),
    "vit.registry": ("UnknownNameError",),
}
"""Module -> the errors of its own. By name, because to import them all takes seconds: an error that was raised is
of a module that was loaded."""
STORAGE = ("optuna.exceptions", "sqlalchemy.exc")
OUTCOME = ("studies.ledger.patience", "studies.running.cluster", "studies.training.curves")
"""Nothing that was typed is wrong, but what was asked for has no result."""
ALLOCATION = re.compile(r"can't allocate memory|out of memory|not enough memory", re.IGNORECASE)
"""What torch says, in a RuntimeError on the processor."""
SECRET = re.compile(r"(://[^/\s:@]*):[^/\s@]+@")


def mended_by(error: Exception) -> tuple[str, int] | None:
    """The line to print and the exit code; None for an error of the program itself."""
    if isinstance(error, TyperException):
        return _words_of_typer(error), USAGE
    if isinstance(error, UsageError):
        return str(error), USAGE
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and ALLOCATION.search(str(error))):
        return "out of memory: ask for fewer --workers, a smaller --pack or a smaller batch", FAILED_TRIALS
    if isinstance(error, OSError):
        place = f": {error.filename}" if error.filename else ""
        return f"{error.strerror or error}{place}{_notes(error)}", FAILED_TRIALS if error.errno in NO_ROOM else USAGE
    for module, names in MENDABLE.items():
        kinds = tuple(getattr(sys.modules[module], name) for name in names) if module in sys.modules else ()
        if isinstance(error, kinds):
            if module in STORAGE:
                return f"storage: {first_line(error.__cause__ or error)}{_notes(error)}", FAILED_TRIALS
            return str(error), FAILED_TRIALS if module in OUTCOME else USAGE
    return _of_plugin(error)


def _of_plugin(error: Exception) -> tuple[str, int] | None:
    """Its line where it came through a plug-in: then the bug is not the program's."""
    plugins = sys.modules.get("studies.trial.plugins")
    where = plugins.at_fault(error) if plugins else None
    return None if where is None else (where, USAGE)


def _notes(error: Exception) -> str:
    """Where it happened, and what became of the rest, as the command noted it."""
    return "".join(f"; {note}" for note in getattr(error, "__notes__", ()))


def _words_of_typer(error: TyperException) -> str:
    """What it says of an option, and where all of them stand; of a command alone it is the whole help."""
    said = str(error.format_message() if hasattr(error, "format_message") else error)
    context = getattr(error, "ctx", None)
    typed = " ".join(["vit-ablate", *itertools.takewhile(lambda word: word[:1] != "-", sys.argv[1:2])])
    command = getattr(context, "command_path", typed)  # of an option without its value it has no context
    if said.startswith("No such command") and context is not None:
        return f"{said.removesuffix('.')}; choices: {', '.join(context.command.list_commands(context))}"
    return f"{said.removesuffix('.')}; see `{command} -h`"


def unforeseen(error: Exception) -> tuple[str, int]:
    """The line of an error of the program itself; its traceback goes to a file, without passwords."""
    text = SECRET.sub(r"\1:***@", "\n".join([" ".join(sys.argv), "".join(traceback.format_exception(error))]))
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", prefix="vit-ablate-", suffix=".traceback.txt", delete=False
        ) as file:
            file.write(text)
        place = file.name
    except OSError:
        place = "nowhere, for no file could be written"
    return f"a bug of vit-ablate: {type(error).__name__}: {first_line(error)} (traceback: {place})", UNFORESEEN


def first_line(error: BaseException) -> str:
    """Of its message, for a message of one line, without passwords."""
    return SECRET.sub(r"\1:***@", next(iter(str(error).splitlines()), ""))
