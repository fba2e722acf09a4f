"""Compares the flags of every command of nnU-Net v1 or v2 with those that our help shows through the links.

    python compare_help.py PROGRAM [docs/v2.md]     (nnunet==1.7.1, or nnunetv2==2.8.1)

Prints a flag of the original that our help does not show. With the table in docs/v2.md it also checks that every flag of the
original is in the row of its command, as the same or as absent, and that the flags in the row exist. Ends with code 1 for
any difference.
"""
import contextlib
import importlib.metadata
import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

work = Path(tempfile.mkdtemp())
for variable in ("nnUNet_raw_data_base", "nnUNet_preprocessed", "RESULTS_FOLDER", "nnUNet_raw", "nnUNet_results"):
    os.environ[variable] = str(work)
FLAG = re.compile(r"(?<![\w-])--?[A-Za-z]\w*")
# Everybody has them.
LEFT_OUT = {"-h", "--help"}


def flags(help_text):
    """The flags of the lines that describe one."""
    found = set()
    for line in help_text.splitlines():
        if re.match(r"\s+--?\w", line):
            words = re.split(r"  +", line.strip())[0]
            found.update(FLAG.findall(re.sub(r"<[^>]*>", "", words)))
        for aliases in re.findall(r"\[alias(?:es)?: ([^\]]*)\]", line):
            found.update(FLAG.findall(aliases))
    return found - LEFT_OUT


def of_original(entry):
    text = io.StringIO()
    sys.argv = [entry.name, "-h"]
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(text), contextlib.redirect_stderr(io.StringIO()):
        entry.load()()
    return flags(text.getvalue())


def of_ours(name):
    done = subprocess.run([work / name, "-h"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode or f"Usage: {name}" not in done.stdout:
        return None
    return flags(done.stdout)


def rows(path):
    """The columns of the table, by command."""
    found = {}
    for line in Path(path).read_text().splitlines():
        if line.startswith("| `"):
            commands, *columns = [cell.strip() for cell in line.strip("|\n").split(" |")]
            for command in re.findall(r"`(\w+)`", commands):
                found[command] = [set(FLAG.findall(column)) for column in columns]
    return found


def main():
    program, *table = sys.argv[1:]
    table = rows(table[0]) if table else None
    subprocess.run([program, "aliases", "--dir", work], check=True, stdout=subprocess.DEVNULL)
    differences = []
    entries = importlib.metadata.entry_points(group="console_scripts")
    names = sorted(entry.name for entry in entries if re.match(r"nnUNet(v2)?_", entry.name))
    for entry in sorted(entries, key=lambda entry: entry.name):
        if entry.name not in names:
            continue
        original, ours = of_original(entry), of_ours(entry.name)
        if ours is None:
            differences.append(f"{entry.name}: there is no help of that name")
            continue
        missing = original - ours
        print(entry.name, len(original), "flags; missing:", *sorted(missing), flush=True)
        if table is None:
            differences += [f"{entry.name} has no {flag}" for flag in sorted(missing)]
            continue
        same, better, absent = table.get(entry.name.split("_", 1)[1], [set()] * 3)
        # A flag may be accepted and do less than the original's.
        differences += [f"docs: {entry.name} {flag} is in neither column" for flag in sorted(original - same - absent)]
        differences += [f"docs: {entry.name} {flag} is not absent" for flag in sorted(absent - original)]
        differences += [f"docs: {entry.name} {flag} is not the same" for flag in sorted(same - (original & ours))]
        differences += [f"docs: {entry.name} has no {flag}" for flag in sorted(better - ours)]
    print(*differences, sep="\n")
    sys.exit(1 if differences or not names else 0)


if __name__ == "__main__":
    main()
