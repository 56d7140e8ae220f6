"""Where processes that read images have the sockets by which they hand them over."""

import os
import tempfile
from multiprocessing import util

LONGEST = 60  # characters of a folder for them; names of sockets have 108 in all
SHORT_FOLDERS = ("/tmp", "/var/tmp", "/dev/shm", "/run")


def use_short_folder() -> None:
    """Puts the sockets of this process and of those that it starts into a folder of a short name.

    For before a DataLoader is made. With the long TMPDIR of a cluster no socket can be named, and a
    reader that cannot hand anything over lets the main process wait for ever.
    """
    if len(tempfile.gettempdir()) <= LONGEST:
        return
    usual = tempfile.tempdir
    tempfile.tempdir = next((f for f in SHORT_FOLDERS if os.access(f, os.W_OK | os.X_OK)), usual)
    try:
        util.get_temp_dir()  # makes one there, keeps it for this process, removes it at the end
    finally:
        tempfile.tempdir = usual
