"""INI files of tools: one section of ours beside sections that are not.

The rule: configupdater changes the options that a delivery sets, and nothing else, so comments, order and other options
stay. No message quotes a line of the file, which may hold another secret.
"""

import re
from collections.abc import Collection, Mapping
from configparser import DuplicateOptionError, DuplicateSectionError, MissingSectionHeaderError, ParsingError
from configparser import Error as IniError

from configupdater import ConfigUpdater

from ops.keys.targets.edited import Edited
from ops.keys.targets.outcome import CannotDeliverError, Outcome, change_of

_VALUE = re.compile(r"[!-~]([ -~]*[!-~])?")


def parsed(file: Edited) -> ConfigUpdater:
    """The sections of a file.

    Raises:
        CannotDeliverError: It is not INI; the message names the line.
    """
    ini = ConfigUpdater(delimiters=("=",))
    try:
        ini.read_string(file.after)
    except IniError as error:
        raise CannotDeliverError(f"{file.path}, {_fault(error)}; mend the line, or name another file") from None
    return ini


def set_section(file: Edited, name: str, values: Mapping[str, str], ours: Collection[str]) -> list[Outcome]:
    """Set the options of a section, which is made if it is not there, and take out those no longer set.

    Args:
        file: The file; its `after` is changed.
        name: The section's name.
        values: The options to set.
        ours: Every option that a delivery may set.

    Raises:
        CannotDeliverError: The file is not INI, or a value cannot be written to one.
    """
    unfit = [option for option, value in values.items() if not _VALUE.fullmatch(value)]
    if unfit:
        raise CannotDeliverError(f"the value of {', '.join(unfit)} cannot be written to {file.path}")
    ini = parsed(file)
    if not ini.has_section(name):
        last = ini.sections()[-1:]
        if last:
            ini[last[0]].add_after.space(1).section(name)
        else:
            ini.add_section(name)
    section = ini[name]
    before = {option: section[option].value for option in section.options()}
    for option, value in values.items():
        if option in before:
            if before[option] != value:
                section[option].value = value
        elif section.option_blocks():
            section.option_blocks()[-1].add_after.option(option, value)
        else:
            section.set(option, value)
    gone = [option for option in before if option in ours and option not in values]
    for option in gone:
        del section[option]
    file.after = str(ini)
    outcomes = [Outcome(f"{name}: {option}", change_of(before.get(option), value)) for option, value in values.items()]
    return outcomes + [Outcome(f"{name}: {option} (removed)", "changed") for option in gone]


def option_of(file: Edited, name: str, option: str) -> str | None:
    """The value of an option; None if there is none."""
    ini = parsed(file)
    return ini[name][option].value if ini.has_option(name, option) else None


def _fault(error: IniError) -> str:
    if isinstance(error, MissingSectionHeaderError):
        return f"line {error.lineno} stands before the first [section]"
    if isinstance(error, DuplicateSectionError | DuplicateOptionError):
        what = "an option" if isinstance(error, DuplicateOptionError) else "a section"
        return f"line {error.lineno} repeats {what}"
    if isinstance(error, ParsingError) and error.errors:
        return f"line {error.errors[0][0]} is neither a [section] nor an option"
    return "which is not an INI file"
