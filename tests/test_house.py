"""The house's own rules, held by the standard library alone (ARCHITECTURE.md, "The rooms").

Each checker takes a root and answers a list of findings, so that the same function judges this repository and a small
planted tree: a rule that cannot be broken in a test is not known to hold.
"""

from __future__ import annotations

import ast
import configparser
import importlib.metadata
import importlib.util
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).resolve().parent.parent
FLOORS = ("console", "db", "media", "routes", "rsocket_server")
# Everything that would be ours if somebody wrote `import …`: the floors, the pages and the built browser bundles.
OUR_NAMES = (*FLOORS, "web", "commeow_vendor")
DISTRIBUTION = "commeow"

MODULE_LINES_MAX = 400  # STYLE rule 15: a module fits in the head.
FUNCTION_LINES_MAX = 70

# Where each kind may live. console/ and every __main__ are roofs; console may also hold what a roof decides and does.
KINDS = {
    "console": {"Core", "Shell", "Roof"},
    "db": {"Core", "Shell"},
    "media": {"Core", "Shell"},
    "rsocket_server": {"Core", "Shell"},
    "routes": {"Core", "Door"},
}

# A core decides: no IO, no clock, no chance. An allow-list, because a forgotten module must fail, not pass.
CORE_STDLIB = {
    "__future__",
    "abc",
    "array",
    "base64",
    "binascii",
    "bisect",
    "collections",
    "collections.abc",
    "contextlib",
    "copy",
    "dataclasses",
    "datetime",
    "decimal",
    "enum",
    "fractions",
    "functools",
    "hashlib",
    "heapq",
    "hmac",
    "html",
    "http",  # HTTPStatus; its client and server are modules of their own.
    "io",
    "ipaddress",
    "itertools",
    "math",
    "operator",
    "re",
    "statistics",
    "string",
    "struct",
    "textwrap",
    "types",
    "typing",
    "unicodedata",
    "urllib.parse",
    "uuid",
    "warnings",
    "weakref",
    "zlib",
}
# Calls that read a clock, a die or a file although the module they come from is pure.
CORE_CALLS = {"now", "utcnow", "today", "uuid1", "uuid4", "open", "input", "print", "breakpoint", "__import__"}

CORE_THIRD_PARTY = {"msgspec"}
SHELL_THIRD_PARTY = {
    "db": {"asyncpg", "redis"},
    "rsocket_server": {"rsocket", "reactivestreams", "reactivex"},  # reactivestreams comes with rsocket.
    "media": set(),
}
DOOR_THIRD_PARTY = {
    *("aiohttp", "argon2", "commeow_vendor", "jwt", "msgspec", "multidict", "yarl"),
    *("rsocket", "reactivestreams", "reactivex"),  # A stream door answers with a Publisher.
}
# Cores with a third party of their own, each with its reason.
THIRD_PARTY_OF_ONE = {
    "routes.qr": {"segno"},  # Draws a QR code; no IO but into memory.
    "routes.settings": {"imageio_ffmpeg"},  # Where the wheel's ffmpeg is; nothing else of it.
    "routes.tokens": {"jwt"},  # PyJWT signs and checks; the clock stays outside.
}

# Floors below each floor; a floor always sees itself.
BELOW = {
    "db": set(),
    "media": {"db"},
    "rsocket_server": {"db"},
    "routes": {"db", "media", "rsocket_server"},
    "console": {"db", "media", "rsocket_server", "routes", "commeow_vendor"},
}

HANGUL = re.compile("[\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff]")
# Comments, strings, and regular expressions where a value may begin: what may hold a brace or a backquote.
SKIPPED_JAVASCRIPT = re.compile(
    r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'"
    r"|(?<=[(,=:\[!&|?{};])\s*/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n])+/",
    re.DOTALL,
)
# Split, so that this file does not find itself.
MACHINE_PATHS = ("/wo" + "rk/", "/tmp/" + "design", "/ro" + "ot/")
REGISTRY_HOSTS = ("pypi" + ".org", "files.python" + "hosted.org", "registry.npm" + "js.org", "deb.deb" + "ian.org")


@dataclass(frozen=True)
class Module:
    """One Python file of the house and what its syntax tree says."""

    name: str
    path: Path
    tree: ast.Module
    lines: int

    @property
    def floor(self) -> str:
        return self.name.partition(".")[0]

    @property
    def is_package(self) -> bool:
        return self.path.name == "__init__.py"

    @property
    def kind(self) -> str | None:
        word, colon, _ = (ast.get_docstring(self.tree) or "").partition(":")
        return word if colon and word.isalpha() else None

    @property
    def is_main(self) -> bool:
        return self.path.name == "__main__.py"


@cache
def modules(root: Path) -> dict[str, Module]:
    """Every module of the floors under `root`, by dotted name."""
    found: dict[str, Module] = {}
    for floor in FLOORS:
        for path in sorted((root / floor).rglob("*.py")):
            parts = list(path.relative_to(root).with_suffix("").parts)
            if parts[-1] == "__init__":
                parts.pop()
            text = path.read_text(encoding="utf-8")
            found[".".join(parts)] = Module(".".join(parts), path, ast.parse(text), text.count("\n"))
    return found


def rooms(root: Path) -> Iterator[Module]:
    """Modules that hold code: all but the package markers."""
    return (module for module in modules(root).values() if not module.is_package)


def imports(module: Module, known: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yield (line, dotted name) of each import anywhere in the module; `from db import ledger` names db.ledger."""
    known = set(known)
    package = module.name.split(".") if module.is_package else module.name.split(".")[:-1]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = ".".join([*package[: len(package) - node.level + 1], *filter(None, [node.module])])
            if not node.level:
                base = node.module or ""
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                yield node.lineno, whole if whole in known or f"{whole}" in CORE_STDLIB else base


# --- the rules -------------------------------------------------------------------------------------------------------


def kind_findings(root: Path) -> list[str]:
    """The first word of each docstring is a kind that may live there; package markers hold no code."""
    findings = []
    for module in modules(root).values():
        if module.is_package:
            body = [node for node in module.tree.body if not _is_docstring(node)]
            if body:
                findings.append(f"{module.name}: __init__ holds code at line {body[0].lineno}")
            continue
        allowed = {"Roof"} if module.is_main else KINDS[module.floor]
        if module.kind not in allowed:
            findings.append(f"{module.name}: first word {module.kind!r}, must be one of {sorted(allowed)}")
    return findings


def import_findings(root: Path) -> list[str]:
    """The import table of the house, one finding for each import that it forbids."""
    known = modules(root)
    findings = []
    for module in rooms(root):
        for line, name in imports(module, known):
            reason = _forbidden(module, name, known)
            if reason:
                findings.append(f"{module.name}:{line}: imports {name}: {reason}")
    return findings


def purity_findings(root: Path) -> list[str]:
    """A core calls no clock, no die and no file, not even through a pure module (datetime.now, uuid4)."""
    findings = []
    for module in rooms(root):
        if module.kind != "Core":
            continue
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.Call):
                continue
            function = node.func
            # A method of our own may be called `open`; the builtin and the class methods of datetime may not.
            called = function.id if isinstance(function, ast.Name) else None
            if isinstance(function, ast.Attribute) and _last_name(function.value) in {"datetime", "date", "uuid"}:
                called = function.attr
            if called in CORE_CALLS:
                findings.append(f"{module.name}:{node.lineno}: a core may not call {called}()")
    return findings


def circle_findings(root: Path) -> list[str]:
    """Import circles, each told once, starting from its smallest name."""
    known = modules(root)
    edges = {name: {seen for _, seen in imports(module, known) if seen in known} for name, module in known.items()}
    circles: set[tuple[str, ...]] = set()
    done: set[str] = set()

    def walk(name: str, path: list[str]) -> None:
        if name in path:
            circle = path[path.index(name) :]
            start = circle.index(min(circle))
            circles.add((*circle[start:], *circle[:start]))
            return
        if name in done:
            return
        for target in sorted(edges[name]):
            walk(target, [*path, name])
        done.add(name)

    for name in sorted(edges):
        walk(name, [])
    return [" → ".join([*circle, circle[0]]) for circle in sorted(circles)]


def mirror_findings(root: Path) -> list[str]:
    """Each module but a roof has its own tests at the mirrored path."""
    findings = []
    for module in rooms(root):
        if module.is_main or module.kind == "Roof":
            continue
        relative = module.path.relative_to(root)
        test = Path("tests") / relative.parent / f"test_{relative.name}"
        if not (root / test).is_file():
            findings.append(f"{module.name}: no {test}")
    return findings


def marker_findings(root: Path) -> list[str]:
    """No __init__.py under tests/: two tests of one name must not shadow each other (importlib mode)."""
    return [f"{path.relative_to(root)} must not be" for path in sorted((root / "tests").rglob("__init__.py"))]


def fork_findings(root: Path) -> list[str]:
    """No program is started through a preexec_fn (console/exec_launcher.py says why)."""
    return [
        f"{module.name}:{node.value.lineno}: preexec_fn"
        for module in rooms(root)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.keyword) and node.arg == "preexec_fn"
    ]


def wall_findings(root: Path) -> list[str]:
    """A JSON field and an environment variable are named in routes/ only (roofs hand them on)."""
    findings = []
    for module in rooms(root):
        if module.kind == "Roof" or module.floor == "console":
            continue
        environment = module.name == "routes.settings"
        for node in ast.walk(module.tree):
            word = _last_name(node) if isinstance(node, ast.Name | ast.Attribute) else None
            if word in {"environ", "getenv"} and not environment:
                findings.append(f"{module.name}:{node.lineno}: {word} belongs to routes/settings.py")
            if isinstance(node, ast.Attribute) and ast.unparse(node) == "msgspec.json" and module.floor != "routes":
                findings.append(f"{module.name}:{node.lineno}: JSON belongs to routes/")
        if module.floor != "routes":
            findings += [
                f"{module.name}:{line}: JSON belongs to routes/"
                for line, name in imports(module, ())
                if name in {"json", "msgspec.json"} or name.startswith("json.")
            ]
    return findings


def size_findings(root: Path) -> list[str]:
    """Modules and functions that no longer fit in the head."""
    findings = []
    for module in modules(root).values():
        if module.lines > MODULE_LINES_MAX:
            findings.append(f"{module.name}: {module.lines} lines, at most {MODULE_LINES_MAX}")
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES_MAX:
                    findings.append(f"{module.name}.{node.name}: {lines} lines, at most {FUNCTION_LINES_MAX}")
    for path in sorted((root / "web" / "js").rglob("*.js")):
        lines = path.read_text(encoding="utf-8").count("\n")
        if lines > MODULE_LINES_MAX:
            findings.append(f"{path.relative_to(root)}: {lines} lines, at most {MODULE_LINES_MAX}")
    return findings


def import_first_findings(root: Path, names: Iterable[str], preload: Iterable[str] = ()) -> list[str]:
    """Import each module before any other of ours. One interpreter forks for each, after loading third parties."""
    script = """
import importlib, os, sys
preload, names = sys.argv[1].split(), sys.argv[2].split()
for name in preload:
    importlib.import_module(name)
for name in names:
    sys.stdout.flush()
    child = os.fork()
    if not child:
        try:
            importlib.import_module(name)
        except BaseException as error:
            print(f"{name}: {type(error).__name__}: {error}", flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""
    # -P and cwd: only `root` is put on the path, not the folder of whoever runs us.
    done = subprocess.run(
        [sys.executable, "-c", script, " ".join(preload), " ".join(names)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    findings = done.stdout.splitlines()
    if done.returncode:
        findings.append(f"the importer itself failed: {done.stderr.strip().splitlines()[-1:]}")
    return findings


def name_findings(search: list[str], ours: Iterable[str] = OUR_NAMES) -> list[str]:
    """Distributions other than our own that install one of our top-level names, and names that Python itself uses."""
    ours = set(ours)
    findings = [f"{name} is a module of Python's own library" for name in sorted(ours & sys.stdlib_module_names)]
    for distribution in importlib.metadata.distributions(path=search):
        if distribution.metadata["Name"] == DISTRIBUTION:
            continue
        files = [str(file) for file in distribution.files or ()]
        tops = {file.split("/")[0].removesuffix(".py") for file in files if not file.startswith("..")}
        tops |= set((distribution.read_text("top_level.txt") or "").split())
        findings += [f"{distribution.metadata['Name']} installs {name}" for name in sorted(tops & ours)]
    return findings


def hangul_findings(root: Path) -> list[str]:
    """Words for people live in web/i18n, so no script holds a Korean one."""
    return [
        f"{path.relative_to(root)}:{number}: Hangul in a script"
        for path in sorted((root / "web" / "js").rglob("*.js"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if HANGUL.search(line)
    ]


def literal_findings(root: Path) -> list[str]:
    """Words for people come out of the catalogues: no text and no label is written into a script's template."""
    findings = []
    for path in sorted((root / "web" / "js").rglob("*.js")):
        source = path.read_text(encoding="utf-8")
        templates: list[str] = []
        _scan_code(source, 0, templates)
        words = [match[0] for match in re.finditer(r"textContent = [\"'`][^\"'`$]*[A-Za-z]{2}", source)]
        for template in templates:
            words += re.findall(r'(?:aria-label|title|placeholder|alt)="[^"\0]*[A-Za-z]{2}[^"\0]*"', template)
            text = re.sub(r"<!--.*?-->|<[^>]*>|&[a-z]+;", " ", template, flags=re.DOTALL)
            words += re.findall(r"[A-Za-z]{2,}", text)
        findings += [f"{path.relative_to(root)}: says {word}" for word in words]
    return findings


def machine_findings(root: Path, files: Iterable[Path], hosts: Iterable[str] = REGISTRY_HOSTS) -> list[str]:
    """No file that is kept names a path of one machine or the address of a package registry."""
    words = [word.encode() for word in (*MACHINE_PATHS, *hosts)]
    findings = []
    for file in files:
        if not (root / file).is_file():
            continue  # Removed here, still in the index: gone with the next commit.
        content = (root / file).read_bytes()
        findings += [f"{file}: names {word.decode()}" for word in words if word in content]
    return findings


def lock_findings(root: Path) -> list[str]:
    """Lock files pin every distribution by hash and say nothing of where it was fetched."""
    findings = []
    for name in ("requirements.lock", "requirements-test.lock", "package-lock.json"):
        path = root / name
        if not path.is_file():
            findings.append(f"{name} is missing")
            continue
        text = path.read_text(encoding="utf-8")
        findings += [f"{name}: has an address ({word})" for word in ('"resolved"', "--index-url") if word in text]
        if name.endswith(".lock"):
            findings += [f"{name}: has an address" for _ in re.findall(r"\b[a-z+]+://", text)[:1]]
            pins = re.split(r"\n(?=[a-z0-9])", text)
            findings += [
                f"{name}: {pin.split()[0]} has no hash" for pin in pins if "==" in pin and "sha256:" not in pin
            ]
    return findings


# --- helpers ---------------------------------------------------------------------------------------------------------


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _last_name(node: ast.AST) -> str | None:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def _scan_code(source: str, at: int, templates: list[str]) -> int:
    """Walk JavaScript from `at` to the brace that closes it, collecting what html`…` templates say; answer the end."""
    depth = 0
    while at < len(source):
        character = source[at]
        if character == "`":
            at = _scan_template(source, at + 1, templates, html=source[:at].endswith("html"))
            continue
        skipped = SKIPPED_JAVASCRIPT.match(source, at)
        if skipped:
            at = skipped.end()
            continue
        if character == "}" and not depth:
            return at + 1
        depth += (character == "{") - (character == "}")
        at += 1
    return at


def _scan_template(source: str, at: int, templates: list[str], *, html: bool) -> int:
    said = ""
    while at < len(source) and source[at] != "`":
        if source.startswith("${", at):
            at = _scan_code(source, at + 2, templates)
            said += "\0"
            continue
        step = 2 if source[at] == "\\" else 1
        said += source[at : at + step]
        at += step
    if html:
        templates.append(said)
    return at + 1


def _forbidden(module: Module, name: str, known: dict[str, Module]) -> str | None:
    """Why `module` may not import `name`; None if it may."""
    top = name.partition(".")[0]
    if top in FLOORS:
        return _forbidden_of_ours(module, name, known)
    if top in sys.stdlib_module_names:
        pure = name in CORE_STDLIB or top in CORE_STDLIB - {"urllib", "collections"}
        return None if module.kind != "Core" or pure else "a core has no IO, clock or chance"
    allowed = THIRD_PARTY_OF_ONE.get(module.name, set())
    if module.kind == "Core":
        allowed = allowed | CORE_THIRD_PARTY
    elif module.kind == "Shell":
        allowed = allowed | SHELL_THIRD_PARTY.get(module.floor, {top})
    elif module.kind == "Door":
        allowed = allowed | DOOR_THIRD_PARTY
    else:
        return None  # A roof starts whatever there is.
    return None if top in allowed else f"third parties here: {sorted(allowed) or 'none'}"


def _forbidden_of_ours(module: Module, name: str, known: dict[str, Module]) -> str | None:
    target = known.get(name)
    if target is None:
        return "no such module of ours"
    reason = None
    same_package = target.name.rpartition(".")[0] == module.name.rpartition(".")[0]
    if (target.is_main or target.kind == "Roof" or target.floor == "console") and not same_package:
        reason = "a roof is imported by nobody but its own package"
    elif target.floor not in {module.floor} | BELOW[module.floor] and module.kind != "Roof":
        reason = f"{target.floor}/ is not below {module.floor}/"
    elif module.kind == "Roof" and module.floor == "db":
        reason = "db/ has no roof"
    elif module.kind == "Roof" and {module.floor, target.floor} == {"media", "rsocket_server"}:
        reason = "the engines never import each other"
    elif module.kind == "Core" and not target.is_package and target.kind != "Core":
        reason = f"a core sees cores only, this is a {target.kind}"
    return reason


def _tracked_files(root: Path) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, check=True)
    return [Path(name) for name in listed.stdout.decode().split("\0") if name]


def _configured_registries() -> set[str]:
    """Hosts that this machine's package clients are pointed at, so that none of them slips into a file."""
    texts = [value for name, value in os.environ.items() if re.search("INDEX|REGISTRY", name)]
    for name in ("/etc/pip.conf", "~/.config/pip/pip.conf", "/etc/xdg/pip/pip.conf", "~/.pip/pip.conf"):
        parser = configparser.ConfigParser(interpolation=None)
        parser.read(Path(name).expanduser())
        texts += [value for section in parser.sections() for value in parser[section].values()]
    for name in ("/etc/npmrc", "~/.npmrc"):
        if Path(name).expanduser().is_file():
            texts.append(Path(name).expanduser().read_text(encoding="utf-8"))
    addresses = re.findall(r"https?://[^\s\"']+", " ".join(texts))
    hosts = {urlsplit(address).hostname or "" for address in addresses}
    return hosts - {"", "localhost", "127.0.0.1"}


# --- this repository -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "check",
    [
        kind_findings,
        import_findings,
        purity_findings,
        circle_findings,
        mirror_findings,
        marker_findings,
        fork_findings,
        wall_findings,
        size_findings,
        hangul_findings,
        literal_findings,
        lock_findings,
    ],
)
def test_the_house_keeps_its_rules(check):
    assert check(ROOT) == []


def test_the_house_is_not_empty():
    # Guards the guards: a wrong ROOT would make every rule above hold.
    assert {module.floor for module in rooms(ROOT)} == set(FLOORS)


@pytest.mark.timeout(600)  # Some two hundred imports: fifteen seconds where nothing else runs.
def test_every_module_can_be_imported_first():
    third_parties = ["aiohttp.web", "argon2", "asyncpg", "jwt", "msgspec", "redis.asyncio", "rsocket.rsocket_server"]

    assert import_first_findings(ROOT, sorted(modules(ROOT)), third_parties) == []


def test_nothing_installed_answers_to_our_names():
    assert name_findings(sys.path) == []
    for name in FLOORS:
        spec = importlib.util.find_spec(name)

        assert spec is not None
        assert Path(spec.origin or "").is_relative_to(ROOT), f"{name} comes from {spec.origin}"


def test_no_kept_file_names_a_machine_or_a_registry():
    assert machine_findings(ROOT, _tracked_files(ROOT), {*REGISTRY_HOSTS, *_configured_registries()}) == []


# --- the checkers can fail -------------------------------------------------------------------------------------------


@pytest.fixture
def plant(tmp_path):
    """Write `{path: text}` under a root of its own and answer that root."""

    def write(files: dict[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return tmp_path

    return write


def found(findings: list[str], *words: str) -> bool:
    """Exactly one finding, and it says all the words."""
    return len(findings) == 1 and all(word in findings[0] for word in words)


def test_a_sound_little_house_has_no_findings(plant):
    root = plant(
        {
            "db/__init__.py": '"""Floor 1."""\n',
            "db/transfer.py": '"""Core: what a donation is."""\n\nfrom dataclasses import dataclass\n',
            "db/ledger.py": '"""Shell: keeps transfers."""\n\nimport asyncpg\nfrom db import transfer\n',
            "tests/db/test_transfer.py": "",
            "tests/db/test_ledger.py": "",
        }
    )

    for check in (kind_findings, import_findings, purity_findings, circle_findings, mirror_findings, wall_findings):
        assert check(root) == []


@pytest.mark.parametrize(
    ("path", "text", "words"),
    [
        ("db/x.py", "import re\n", ["first word None"]),
        ("db/x.py", '"""The core: of it."""\n', ["first word None"]),
        ("db/x.py", '"""Door: in the wrong place."""\n', ["first word 'Door'"]),
        ("routes/x.py", '"""Shell: in the wrong place."""\n', ["first word 'Shell'"]),
        ("media/__main__.py", '"""Shell: but starts things."""\n', ["'Roof'"]),
        ("db/__init__.py", '"""Floor 1."""\n\nX = 1\n', ["holds code at line 3"]),
    ],
)
def test_a_wrong_kind_is_found(plant, path, text, words):
    assert found(kind_findings(plant({path: text})), *words)


@pytest.mark.parametrize(
    ("path", "text", "words"),
    [
        ("db/x.py", '"""Core: x."""\nimport asyncio\n', ["db.x:2", "asyncio"]),
        ("db/x.py", '"""Core: x."""\nfrom time import monotonic\n', ["time"]),
        ("db/x.py", '"""Core: x."""\ndef f():\n    import random\n', ["db.x:3", "random"]),
        ("db/x.py", '"""Core: x."""\nimport urllib.request\n', ["urllib.request"]),
        ("db/x.py", '"""Core: x."""\nimport asyncpg\n', ["third parties here"]),
        ("db/x.py", '"""Core: x."""\nfrom db import ledger\n', ["this is a Shell"]),
        ("db/x.py", '"""Shell: x."""\nimport aiohttp\n', ["asyncpg"]),
        ("db/x.py", '"""Shell: x."""\nfrom media import flv\n', ["media/ is not below db/"]),
        ("db/x.py", '"""Shell: x."""\nimport db.nothing\n', ["no such module"]),
        ("media/x.py", '"""Shell: x."""\nimport aiohttp\n', ["none"]),
        ("media/x.py", '"""Shell: x."""\nfrom rsocket_server import rooms\n', ["rsocket_server/ is not below media/"]),
        ("media/x.py", '"""Shell: x."""\nfrom routes.wire import read\n', ["routes/ is not below media/"]),
        ("media/__main__.py", '"""Roof: x."""\nfrom rsocket_server import rooms\n', ["never import each other"]),
        ("media/x.py", '"""Shell: x."""\nimport console.up\n', ["imported by nobody"]),
        ("routes/x.py", '"""Core: x."""\nimport jwt\n', ["third parties here"]),
        ("routes/x.py", '"""Door: x."""\nimport redis\n', ["third parties here"]),
        ("routes/x.py", '"""Door: x."""\nfrom rsocket_server.__main__ import main\n', ["imported by nobody"]),
    ],
)
def test_a_forbidden_import_is_found(plant, path, text, words):
    root = plant(
        {
            **{f"{floor}/__init__.py": "" for floor in FLOORS},
            "db/ledger.py": '"""Shell: keeps transfers."""\n',
            "media/flv.py": '"""Core: tags."""\n',
            "rsocket_server/rooms.py": '"""Shell: keeps rooms."""\n',
            "rsocket_server/__main__.py": '"""Roof: starts."""\n',
            "routes/wire.py": '"""Core: shapes."""\n',
            "console/up.py": '"""Roof: starts all."""\n',
            path: text,
        }
    )

    assert found(import_findings(root), *words)


def test_the_allowed_imports_are_allowed(plant):
    root = plant(
        {
            **{f"{floor}/__init__.py": "" for floor in FLOORS},
            "db/transfer.py": '"""Core: x."""\nimport msgspec, collections.abc\nfrom urllib.parse import quote\n',
            "media/flv.py": '"""Core: x."""\nfrom db.transfer import donation\n',
            "media/__main__.py": '"""Roof: x."""\nimport aiohttp\nfrom media import flv\nfrom routes import tokens\n',
            "routes/tokens.py": '"""Core: x."""\nimport jwt\nfrom media.flv import tag\n',
            "routes/chat.py": '"""Door: x."""\nimport aiohttp\nimport os\nfrom routes import tokens\n',
            "console/up.py": '"""Roof: x."""\nfrom console.demo import push\n',
            "console/demo.py": '"""Roof: x."""\nfrom db import transfer\nimport anything\n',
        }
    )

    assert import_findings(root) == []


@pytest.mark.parametrize(
    "call", ["datetime.now()", "datetime.datetime.utcnow()", "uuid4()", "uuid.uuid4()", "open('x')"]
)
def test_a_clock_in_a_core_is_found(plant, call):
    root = plant({"db/x.py": f'"""Core: x."""\n\nY = {call}\n', "db/y.py": f'"""Shell: x."""\n\nY = {call}\n'})

    assert found(purity_findings(root), "db.x:3")


def test_an_import_circle_is_found_once(plant):
    root = plant(
        {
            "db/__init__.py": "",
            "db/a.py": '"""Core: a."""\nfrom db import b\n',
            "db/b.py": '"""Core: b."""\nimport db.c\n',
            "db/c.py": '"""Core: c."""\nfrom db.a import x\n',
            "db/d.py": '"""Core: d."""\nfrom db import a\n',
        }
    )

    assert circle_findings(root) == ["db.a → db.b → db.c → db.a"]


def test_a_module_without_tests_is_found(plant):
    root = plant(
        {
            "media/hls_writer/fmp4.py": '"""Core: boxes."""\n',
            "media/__main__.py": '"""Roof: starts."""\n',
            "tests/media/test_fmp4.py": "",
        }
    )

    assert found(mirror_findings(root), "media.hls_writer.fmp4", "tests/media/hls_writer/test_fmp4.py")


def test_a_package_marker_under_tests_is_found(plant):
    assert found(marker_findings(plant({"tests/db/__init__.py": ""})), "tests/db/__init__.py")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("db/x.py", '"""Shell: x."""\nimport json\n'),
        ("media/x.py", '"""Core: x."""\nfrom json import dumps\n'),
        ("rsocket_server/x.py", '"""Core: x."""\nimport msgspec\nX = msgspec.json.encode(1)\n'),
        ("media/x.py", '"""Shell: x."""\nimport os\nX = os.environ["X"]\n'),
        ("routes/x.py", '"""Door: x."""\nimport os\nX = os.getenv("X")\n'),
    ],
)
def test_meaning_outside_routes_is_found(plant, path, text):
    assert found(wall_findings(plant({path: text})), path.removesuffix(".py").replace("/", "."))


def test_a_preexec_fn_is_found(plant):
    text = '"""Shell: x."""\nimport subprocess\nsubprocess.run([], preexec_fn=print)\n'

    assert found(fork_findings(plant({"media/x.py": text})), "media.x:3")


def test_settings_and_roofs_may_read_the_environment(plant):
    root = plant(
        {
            "routes/settings.py": '"""Door: x."""\nimport os\nX = os.environ\n',
            "console/up.py": '"""Roof: x."""\nimport os\nX = os.environ\n',
        }
    )

    assert wall_findings(root) == []


def test_what_does_not_fit_in_the_head_is_found(plant):
    small = "def f():\n" + "    x = 1\n" * (FUNCTION_LINES_MAX - 1)
    root = plant(
        {
            "db/fits.py": small + "#\n" * (MODULE_LINES_MAX - FUNCTION_LINES_MAX),
            "db/long.py": "#\n" * (MODULE_LINES_MAX + 1),
            "db/big.py": small + "    x = 1\n",
            "web/js/long.js": "//\n" * (MODULE_LINES_MAX + 1),
        }
    )

    assert size_findings(root) == [
        "db.big.f: 71 lines, at most 70",
        "db.long: 401 lines, at most 400",
        "web/js/long.js: 401 lines, at most 400",
    ]


def test_a_module_that_cannot_be_imported_first_is_found(plant):
    root = plant(
        {
            "db/__init__.py": "",
            "db/fine.py": "import db.half\n",
            "db/half.py": "import sys\nif 'db.fine' not in sys.modules:\n    raise ImportError('not first')\n",
        }
    )

    assert import_first_findings(root, ["db.fine", "db.half"]) == ["db.half: ImportError: not first"]


def test_a_distribution_with_our_name_is_found(plant):
    root = plant(
        {
            "routes-2.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: Routes\n",
            "routes-2.0.dist-info/RECORD": "routes/__init__.py,,\nroutes/mapper.py,,\n",
            "innocent-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: innocent\n",
            "innocent-1.dist-info/RECORD": "innocent/db/__init__.py,,\n",
            "commeow-0.dist-info/METADATA": "Metadata-Version: 2.1\nName: commeow\n",
            "commeow-0.dist-info/RECORD": "db/__init__.py,,\n",
        }
    )

    assert name_findings([str(root)]) == ["Routes installs routes"]
    assert name_findings([], ours=["db", "json"]) == ["json is a module of Python's own library"]


def test_hangul_in_a_script_is_found(plant):
    root = plant({"web/js/core/a.js": "// fine\nlet x = '\uace0\uc591\uc774';\n", "web/i18n/ko.json": '"\uace0"'})

    assert hangul_findings(root) == ["web/js/core/a.js:2: Hangul in a script"]


@pytest.mark.parametrize(
    "script",
    [
        "x = html`<p>Hello</p>`;",
        'x = html`<button aria-label="Close">${icon}</button>`;',
        "x = html`<p>${when ? html`<b>Now</b>` : nothing}</p>`;",
        "row.textContent = 'Gone';",
        'x = y.replace(/["\'`]/g, ""); z = html`<i>Quoted</i>`;',
    ],
)
def test_a_word_in_a_script_is_found(plant, script):
    assert found(literal_findings(plant({"web/js/elements/a.js": script})), "says")


def test_words_from_the_catalogue_are_not_literals(plant):
    script = """
      // html`<p>a comment</p>`
      x = html`<p class="big" title=${t("close")} @click=${() => { go({a: "`W"}); }}>${t("chat.title")} · &nbsp;</p>`;
      key = `chat.${state}.words`;
      row.textContent = `${count}`;
    """

    assert literal_findings(plant({"web/js/elements/a.js": script})) == []


def test_a_machine_path_and_a_registry_are_found(plant):
    root = plant({"a.md": f"see {MACHINE_PATHS[0]}x", "b.toml": f"https://{REGISTRY_HOSTS[0]}/simple", "c.md": "work"})

    assert machine_findings(root, [Path("a.md"), Path("b.toml"), Path("c.md"), Path("gone.md")]) == [
        f"a.md: names {MACHINE_PATHS[0]}",
        f"b.toml: names {REGISTRY_HOSTS[0]}",
    ]
    assert machine_findings(root, [Path("b.toml")], ["example.test"]) == []


def test_a_lock_with_an_address_or_without_a_hash_is_found(plant):
    root = plant(
        {
            "requirements.lock": "aiohttp==3.14.5 \\\n    --hash=sha256:aa\n",
            "requirements-test.lock": "--index-url https://example.test\nredis==8.1.0\n",
            "package-lock.json": '{"resolved": "https://example.test/lit.tgz"}',
        }
    )

    assert lock_findings(root) == [
        "requirements-test.lock: has an address (--index-url)",
        "requirements-test.lock: has an address",
        "requirements-test.lock: redis==8.1.0 has no hash",
        'package-lock.json: has an address ("resolved")',
    ]
