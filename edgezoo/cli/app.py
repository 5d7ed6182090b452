"""The commands, in the order in which a newcomer needs them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from edgezoo.cli import devices, files, imports, look, measure, runner, simphone
from edgezoo.errors import UsageError

# typer has its own copy of click from 0.22 on, so the base of its usage errors has no public name.
CLICK_USAGE_ERROR: type[Exception] = typer.BadParameter.__bases__[0]
INTERRUPTED = 130

app = typer.Typer(
    name="edgezoo",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["--help", "-h"]},
)

Command = Callable[..., None]
COMMANDS: Sequence[tuple[str, str, Command, Sequence[str]]] = (
    ("Make", "run", measure.run, measure.RUN_EXAMPLES),
    ("Make", "convert", files.convert, files.CONVERT_EXAMPLES),
    ("Make", "quantize", files.quantize, files.QUANTIZE_EXAMPLES),
    ("Check", "verify", measure.verify, measure.VERIFY_EXAMPLES),
    ("Check", "bench", measure.bench, measure.BENCH_EXAMPLES),
    ("Check", "import", imports.import_results, imports.IMPORT_EXAMPLES),
    ("Check", "compare", measure.compare, measure.COMPARE_EXAMPLES),
    ("Check", "report", measure.report, measure.REPORT_EXAMPLES),
    ("Check", "simphone", simphone.simphone, simphone.EXAMPLES),
    ("Look", "list", look.list_models, look.LIST_EXAMPLES),
    ("Look", "info", look.info, look.INFO_EXAMPLES),
    ("Look", "devices", devices.devices, devices.DEVICES_EXAMPLES),
    ("Look", "doctor", look.doctor, look.DOCTOR_EXAMPLES),
)


def _epilog(examples: Sequence[str]) -> str:
    return "\n".join(("Examples:", *(f"  [cyan]{line}[/cyan]" for line in examples)))


def _help(command: Command) -> str:
    """Return the docstring with a line per paragraph; typer would keep the line breaks."""
    paragraphs = (inspect.getdoc(command) or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


# Commands of two words: the first is a group of its own.
RUNNER_COMMANDS: Sequence[tuple[str, Command, Sequence[str]]] = (
    ("build", runner.build, runner.BUILD_EXAMPLES),
)


def _print_help(context: typer.Context) -> None:
    """Print the help of a group that was given no command."""
    if context.invoked_subcommand is None:
        help_text = context.get_help()  # with rich, typer prints it itself and returns nothing
        if help_text.strip():
            typer.echo(help_text)


for _panel, _name, _command, _examples in COMMANDS:
    app.command(
        _name, rich_help_panel=_panel, help=_help(_command), epilog=_epilog(_examples)
    )(_command)  # fmt: skip

runners = typer.Typer(
    invoke_without_command=True,
    callback=_print_help,
    help="Runners: the programs that time a model on a device.",
    context_settings={"help_option_names": ["--help", "-h"]},
)
app.add_typer(runners, name="runner", rich_help_panel="Check")
for _name, _command, _examples in RUNNER_COMMANDS:
    runners.command(_name, help=_help(_command), epilog=_epilog(_examples))(_command)


def edgezoo(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", show_default=False)
    ] = False,
) -> None:
    """Image networks from PyTorch to phones: verified, quantized, timed ONNX and TFLite files.

    Results go to standard output, progress and errors to standard error. Every command takes
    --json and then prints exactly the result. Exit code 2 means that something was asked for that
    cannot be done; the last line says what to do instead.
    """
    if version:
        from edgezoo import __version__

        typer.echo(f"edgezoo {__version__}")
    else:
        _print_help(context)


EXAMPLES = (
    "edgezoo run efficientnet_lite0 --samples photos --out lite0",
    "edgezoo convert package.module:factory --input 1x3x224x224 --to tflite,onnx",
)
app.callback(invoke_without_command=True, help=_help(edgezoo), epilog=_epilog(EXAMPLES))(edgezoo)


def run(arguments: Sequence[str] | None) -> int:
    """Run one command line and return its exit code.

    Raises ``EdgezooError`` for a user's mistake, wrong options included, and ``KeyboardInterrupt``.
    """
    command = typer.main.get_command(app)
    given = None if arguments is None else list(arguments)
    try:
        code = command.main(args=given, prog_name="edgezoo", standalone_mode=False)
    except typer.Abort as error:
        raise KeyboardInterrupt from error
    except CLICK_USAGE_ERROR as error:
        raise UsageError(_sentence(error)) from error
    if code == INTERRUPTED:  # how newer versions of typer say it
        raise KeyboardInterrupt
    return code if isinstance(code, int) else 0


def _sentence(error: Exception) -> str:
    """Return click's words ("No such option: --x (Possible options: --y)") in the house's form."""
    text = error.format_message()  # type: ignore[attr-defined]  # a click exception, see above
    text = re.sub(r"\(Possible options: (.*?)\)", r"; did you mean \1", text)
    text = re.sub(r"[.?]\s*(did you mean)", r"; \1", text, flags=re.IGNORECASE)
    text = " ".join(re.sub(r"\s+;", ";", text).replace("Did you", "did you").split()).rstrip(".?")
    context = getattr(error, "ctx", None)
    path = "edgezoo" if context is None else context.command_path
    return f"{text[:1].lower()}{text[1:]}; see {path} --help"
