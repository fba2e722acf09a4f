"""Runs commands of Python nnU-Net v2 in this process, with threads for their processes: PyTorch is loaded once."""
import contextlib
import importlib.metadata
import io
import multiprocessing
import sys
import threading
from multiprocessing.pool import ThreadPool
from types import SimpleNamespace

import torch


def use_threads():
    threads = SimpleNamespace(Pool=ThreadPool, Process=threading.Thread)
    multiprocessing.get_context = lambda *_: threads
    from nnunetv2.utilities import utils
    utils.Pool = ThreadPool


def run(command, *words):
    """Code and output; the code is 1 for any error."""
    points = {point.name: point for point in importlib.metadata.entry_points(group="console_scripts")}
    sys.argv = [command, *map(str, words)]
    text = io.StringIO()
    try:
        with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
            points[command].load()()
        return 0, text.getvalue()
    except (Exception, SystemExit) as error:
        return 1, f"{text.getvalue()[-500:]} {type(error).__name__}: {error}"
    finally:
        torch.set_num_threads(1)
