"""The documents, and what is in them: fenced blocks, links, headings, tables."""

import re
import subprocess
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
ELSEWHERE = {
    r"\bpip install\b": "installs; .ci/run does it",
    r"^pytest\b": "the suite itself",
    r"^ruff\b": "after the suite, in .ci/run",
    r"^apt-get\b|^sbatch\b": "needs root, or Slurm: tests/runner/test_slurm.py",
    r" configs/calibration/": "16,800 networks each, also too many to make up; check takes the specs in tests/spec",
    r" --cluster tls://": "needs a scheduler: tests/runner/test_cluster.py",
    r"^python tests/(benchmarks/|kills|calibration)": "takes minutes; that its options are right is tested below",
}
"""The commands that are not run by the test that runs all others, and why."""


class Document(NamedTuple):
    """A Markdown file of the repository."""

    path: Path
    text: str

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))

    def blocks(self, language: str) -> list[str]:
        """The fenced blocks in a language."""
        return re.findall(rf"^```{language}\n(.*?)^```", self.text, re.MULTILINE | re.DOTALL)

    @property
    def prose(self) -> str:
        """The text without fenced blocks."""
        return re.sub(r"^```.*?^```", "", self.text, flags=re.MULTILINE | re.DOTALL)

    @property
    def anchors(self) -> set[str]:
        """The sections, as links name them."""
        heads = re.findall(r"^#+ (.*)$", self.prose, re.MULTILINE)
        return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}

    @property
    def links(self) -> list[str]:
        """Where links and pictures lead, inside the repository."""
        links = re.findall(r"\]\(([^)\s]+)\)", self.prose)
        return [link for link in links if not link.startswith("http")]

    @property
    def commands(self) -> list[str]:
        """Every line of its shell blocks, without what is said beside it."""
        return [line.split("    #")[0].rstrip() for block in self.blocks("sh") for line in block.splitlines()]

    def section(self, head: str) -> str:
        """The text from a heading to the next of any kind."""
        return re.split(r"^#", self.text[self.text.index(f"## {head}") + 3 :], maxsplit=1, flags=re.MULTILINE)[0]


def _read_all() -> dict[str, Document]:
    folders = [ROOT / name for name in ("configs", "regsearch", "tests", "results/reference")]
    paths = [
        ROOT / "README.md",
        ROOT / "results" / "README.md",
        *(path for top in folders for path in top.rglob("*.md")),
    ]
    documents = [Document(path, path.read_text()) for path in paths]
    return {document.name: document for document in documents}


DOCUMENTS = _read_all()


def find_reason(command: str) -> str | None:
    """Why a command is not run; None for one that is."""
    return next((reason for pattern, reason in ELSEWHERE.items() if re.search(pattern, command)), None)


def list_committed(ending: str) -> set[Path]:
    """The committed files of the results; all that are there where there is no git to tell."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "results"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode == 0 and listed.stdout:
        paths = {ROOT / name for name in listed.stdout.split("\0") if name}
    else:
        paths = {path for path in (ROOT / "results" / "reference").rglob("*") if path.is_file()}
    return {path for path in paths if path.suffix == ending}
