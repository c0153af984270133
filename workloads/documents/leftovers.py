"""What lies in a folder of documents and is none: what the NAS, the Mac, and programs leave there. Pure.

The rule: a name decides, never the content, and each is left out for a reason that is said. The same rule serves the
walk that stores and the one that proves that nothing is missing.
"""

import re
from typing import Final

_FOLDERS: Final = {
    "the NAS's own": re.compile(r"@eaDir|@tmp|@Recycle|@Recently-Snapshot|#snapshot|lost\+found", re.IGNORECASE),
    "thrown away": re.compile(r"#recycle|\.Trashes?|\.Trash-[0-9]+|\$RECYCLE\.BIN", re.IGNORECASE),
    "of a synchronisation": re.compile(r"\.stfolder|\.stversions|\.sync|\.dropbox\.cache|\.SynologyWorkingDirectory"),
    "the Mac's own": re.compile(
        r"\.Spotlight-V100|\.fseventsd|\.TemporaryItems|\.DocumentRevisions-V100|\.AppleDouble|\.AppleDB|\.AppleDesktop"
    ),
}
_FILES: Final = {
    "the NAS's own": re.compile(r".*@Syno(EAStream|Resource)|SYNO(FILE|PHOTO)_THUMB.*"),
    "the Mac's own": re.compile(r"\._.*|\.DS_Store|\.localized|Icon\r|\.apdisk|\.com\.apple\..*"),
    "Windows' own": re.compile(r"Thumbs\.db|ehthumbs\.db|desktop\.ini", re.IGNORECASE),
    "of a program that has it open": re.compile(r"~\$.*|\.~lock\..*#|\.nfs[0-9a-fA-F]{8,}|\..*\.sw[a-p]"),
    "a part of a file": re.compile(
        r".*\.(crdownload|part|partial|download|aria2|!qB|tmp|filepart)|\.syncthing\..*\.tmp", re.IGNORECASE
    ),
    "of a synchronisation": re.compile(r"\.stignore|\.sync-conflict-.*"),
}


def reason_of(path: bytes) -> str:
    """Why a file or folder is left out, by the last segment of its path; empty if it is not."""
    name = path.rpartition(b"/")[2].decode("utf-8", "replace")
    for forms in (_FOLDERS, _FILES):
        for reason, form in forms.items():
            if form.fullmatch(name):
                return reason
    return ""
