"""The boundaries of the source tree, which the file system cannot keep by itself."""

import importlib
import importlib.metadata
import inspect
import pkgutil
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from rooms import circle, modules, python_imports, rust_code, rust_imports, rust_reexports

import mopse

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src"
PACKAGE = ROOT / "python" / "mopse"

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(mopse.__path__, "mopse.")
    if not module.name.startswith("mopse._")
)

BINDINGS = {"bindings.rs", "bindings"}

_KEYRINGS = {
    *("_answers", "_arrays", "_checks", "_fork", "_mopse", "_table", "_types", "errors"),
    *("messages", "schema"),
}
_PRIMITIVE = {"_arrays", "_checks", "_mopse", "errors"}
PYTHON = {
    "_mopse": {"_progress", "errors"},  # the core, which raises them
    "errors": set(),
    "_arrays": {"errors"},
    "_checks": {"_arrays", "_mopse", "errors"},
    "_checked": {"_arrays", "_checks", "errors"},
    "_files": {"errors"},
    "_kept": {"_files", "errors"},
    "_progress": set(),
    "_fork": {"errors"},
    "_formulas": {*_PRIMITIVE, "_checked"},
    "_scheme_names": set(),
    "_types": _PRIMITIVE,
    "_table": {*_PRIMITIVE, "_fork", "_types"},
    "_verdict": {"_formulas"},
    "_proposals": {"_types", "errors"},
    "_deidentified": {"_checks", "errors"},
    "_derived": {"_checks", "_deidentified", "_fork", "_table", "_types", "errors"},
    "schema": {
        *_PRIMITIVE,
        *("_deidentified", "_fork", "_proposals", "_table", "_types", "_verdict"),
    },
    "_reidentification": {
        *("_checks", "_deidentified", "_derived", "_table", "_types", "errors", "schema"),
    },
    "messages": {*_PRIMITIVE, "_files", "_kept"},
    "stores": {"_checked", "_checks", "_files", "_mopse", "errors", "messages"},
    "_remote": {"_checks", "_files", "_kept", "_mopse", "errors"},
    "_passing": {"_files", "_kept", "_mopse", "_remote", "messages", "stores"},
    "cloud": {
        *(_PRIMITIVE | {"_audit", "_files", "_passing", "_remote", "messages", "stores"}),
    },  # its log; only the type
    "service": {
        *("_checked", "_checks", "_files", "_mopse", "_passing", "_remote", "cloud", "errors"),
        *("messages", "stores"),
    },
    "_audit": {"_checks", "_files", "_mopse", "errors", "messages"},
    "sharing": {
        *_PRIMITIVE,
        "_audit",
        "_checked",
        "_deidentified",
        "_files",
        "_party",
        "_reidentification",
        "_requests",
        "_shares",
        "_table",
        "cloud",
        "messages",
        "schema",
        "secret_sharing",
        "user",
    },  # whom it asks, and who opens
    "schemes": _PRIMITIVE,
    "secret_sharing": _PRIMITIVE,
    "passwords": _PRIMITIVE,
    "rsa": _PRIMITIVE,
    "ciphers": {*_PRIMITIVE, "rsa"},
    "files": {*_PRIMITIVE, "_files", "_progress"},
    "leakage": {"_checks", "_reidentification", "_table", "_verdict", "errors", "schema"},
    "_bodies": {"_checks", "_files", "_kept", "_mopse", "files", "messages"},
    "_answers": _KEYRINGS - {"_answers"},
    "_proofs": {"_answers", "_checks", "_fork", "_mopse", "errors", "messages"},
    "_requests": _KEYRINGS,
    "_ranges": {"_checks", "errors", "schema"},
    "_rights": {*_KEYRINGS, "_ranges", "_requests"},
    "_shares": {*_KEYRINGS, "_ranges", "_requests"},
    "_party": {
        *_KEYRINGS,
        "_deidentified",
        "_bodies",
        "_files",
        "_proofs",
        "_ranges",
        "_requests",
        "_rights",
        "_shares",
        "cloud",
    },  # whom they ask; only its type
    "provider": {
        *_KEYRINGS,
        *("_bodies", "_derived", "_party", "_ranges", "_shares", "cloud", "leakage"),
    },
    "owner": {*_KEYRINGS, "_party", "_shares", "provider"},
    "user": {
        *_KEYRINGS,
        *("_bodies", "_files", "_party", "_proofs", "_requests", "_rights", "_shares", "cloud"),
    },
    "plot": {*_PRIMITIVE, "_checked", "_files", "_table"},
    "datasets": {"_checked", "_checks", "_files", "_fork", "_table", "errors"},
    "specimens": {"_checked", "_checks", "errors"},
    "labs": {"_checked", "_files", "errors"},
    "attacks": {
        *(_PRIMITIVE | {"_checked", "_fork", "_formulas", "_scheme_names", "_table", "cloud"}),
        *("_deidentified", "_derived", "_reidentification", "messages"),
        *("ciphers", "owner", "passwords", "provider", "schema", "schemes", "stores", "user"),
    },
    "evaluate": {
        *(_PRIMITIVE | {"_checked", "_files", "_fork", "_formulas", "_progress", "_scheme_names"}),
        "attacks",
        *(
            "ciphers",
            "cloud",
            "datasets",
            "messages",
            "owner",
            "passwords",
            "plot",
            "provider",
            "rsa",
            "schema",
            "schemes",
            "stores",
            "user",
        ),
        "specimens",
    },
    "cli": {
        *(
            "",
            "_answers",
            "_bodies",
            "_checks",
            "_files",
            "_party",
            "_remote",
            "_scheme_names",
            "_types",
            "cloud",
            "errors",
        ),
        *("evaluate", "labs", "messages", "plot", "service", "sharing", "stores"),
    },
    "__main__": {"cli"},
}
"""Room of the package: rooms it may import. The package's root, which loads all, is ``""``."""

PYTHON_WITH_KEYS = {
    *("_bodies", "_party", "ciphers", "files", "owner", "passwords", "provider", "rsa", "schemes"),
    *("secret_sharing", "sharing", "user"),
}

RUST = {
    "lock": set(),
    "stop": set(),
    "pool": {"lock", "stop"},
    "operations": {"lock"},
    "wire": set(),
    "keys": {"operations"},
    "scheme": {"keys", "operations", "pool", "stop", "wire"},
    "schema": {"scheme", "wire"},
    "cipher": {"keys", "operations", "pool", "stop", "wire"},
    "message": {"operations", "pool", "wire"},
    "cloud": {"lock", "message", "operations", "pool", "wire"},
    "audit": {"cloud", "keys", "lock", "message", "operations", "wire"},
    "party": {
        *("cipher", "keys", "lock", "message", "operations", "pool", "schema", "scheme", "wire"),
    },
    "sharing": {"cipher", "keys", "message", "operations", "party", "stop", "wire"},
    "attack": {"pool", "stop"},
    "plot": {"stop"},
    "evaluate": {"cloud", "keys", "message", "operations", "scheme", "wire"},
    "error": {
        *("attack", "audit", "cipher", "cloud", "evaluate", "keys", "message", "party", "plot"),
        *("schema", "scheme", "sharing", "wire"),
    },  # wraps the error of every room
    "bindings": {
        *("attack", "audit", "cipher", "cloud", "error", "evaluate", "keys", "lock", "message"),
        *("operations", "party", "plot", "pool", "schema", "scheme", "sharing", "stop", "wire"),
    },
}
"""Room of the crate: rooms it may use. The root, ``lib.rs``, maps them all and does nothing."""

RUST_WITH_KEYS = {
    *("audit", "bindings", "cipher", "error", "evaluate", "keys", "party", "scheme", "sharing"),
}


def mentions(pattern: str, files: list[Path]) -> list[str]:
    """Return the files in which a pattern occurs."""
    assert files
    return [str(f.relative_to(ROOT)) for f in files if re.search(pattern, f.read_text("utf-8"))]


def test_only_the_bindings_know_python():
    core = [f for f in SRC.rglob("*.rs") if f.relative_to(SRC).parts[0] not in BINDINGS]
    assert mentions(r"\b(pyo3|numpy)\b", core) == []
    assert mentions(r"\bpyo3\b", [SRC / "bindings.rs"]) == ["src/bindings.rs"]


def test_only_the_pool_has_threads_of_its_own():
    sources = {f: rust_code(f.read_text("utf-8")) for f in SRC.rglob("*.rs") if f.stem != "tests"}
    with_threads = [f for f, code in sources.items() if re.search(r"\brayon\b", code)]
    assert [str(f.relative_to(SRC)) for f in with_threads] == ["pool.rs"]


def test_core_builds_without_python():
    if shutil.which("cargo") is None:
        pytest.skip("cargo is not installed")
    tree = ["cargo", "tree", "--offline", "--locked", "-e", "normal", "--prefix", "none"]
    core = subprocess.run(tree, cwd=ROOT, capture_output=True, text=True, check=False)
    if "--offline" in core.stderr:
        pytest.skip("the crates are not downloaded")
    assert core.returncode == 0, core.stderr
    crates = {line.split()[0] for line in core.stdout.splitlines() if line}
    assert "aes" in crates
    assert not {name for name in crates if name.startswith(("pyo3", "numpy", "polars"))}


def reached(table: Mapping[str, set[str]], room: str) -> set[str]:
    """Return the rooms that a room may import, and those that these may, and so on."""
    found: set[str] = set()
    waiting = [room]
    while waiting:
        new = table[waiting.pop()] - found
        found |= new
        waiting += new
    return found


def python_rooms() -> dict[str, set[str]]:
    """Return the rooms of the package and what each imports."""
    found: dict[str, set[str]] = {}
    for names, path in modules(PACKAGE, ".py"):
        if not names:
            continue  # the root
        full, is_package = ".".join(["mopse", *names]), path.stem == "__init__"
        imported = python_imports(path.read_text("utf-8"), full, is_package=is_package)
        own = (f"{name}.".split(".")[1] for name in imported if name.split(".")[0] == "mopse")
        found.setdefault(names[0], set()).update(own)
    return {room: imported - {room} for room, imported in found.items()}


def rust_rooms() -> dict[str, set[str]]:
    """Return the rooms of the crate and what each uses."""
    exported = rust_reexports((SRC / "lib.rs").read_text("utf-8"))
    found: dict[str, set[str]] = {}
    for names, path in modules(SRC, ".rs"):
        if names != ["lib"] and names[-1] != "tests":
            used = rust_imports(path.read_text("utf-8"), names)
            found.setdefault(names[0], set()).update(exported.get(name, name) for name in used)
    return {room: used - {room} for room, used in found.items()}


PYTHON_ROOMS, RUST_ROOMS = python_rooms(), rust_rooms()


@pytest.mark.parametrize("room", sorted(PYTHON_ROOMS.keys() | PYTHON.keys() - {"_mopse"}))
def test_a_room_of_the_package_imports_what_it_may(room):
    assert PYTHON_ROOMS[room] - PYTHON[room] == set()


@pytest.mark.parametrize("room", sorted(RUST_ROOMS.keys() | RUST.keys()))
def test_a_room_of_the_crate_uses_what_it_may(room):
    assert RUST_ROOMS[room] - RUST[room] == set()


@pytest.mark.parametrize("table", [PYTHON, RUST], ids=["python", "rust"])
def test_no_way_leads_back(table):
    assert circle({room: allowed - {""} for room, allowed in table.items()}) == []
    assert set().union(*table.values()) - {""} <= table.keys()


@pytest.mark.parametrize("room", ["cloud", "messages", "service", "stores", "plot", "leakage"])
def test_a_room_without_keys_reaches_none_in_the_package(room):
    assert reached(PYTHON, room) & PYTHON_WITH_KEYS == set()


def test_only_rooms_that_hold_keys_know_them_in_the_crate():
    assert {room for room in RUST if "keys" in {room, *RUST[room]}} == RUST_WITH_KEYS
    for room in ("cloud", "message", "attack", "plot"):
        assert reached(RUST, room) & RUST_WITH_KEYS == set()


def test_only_what_loads_lazily_imports_by_name():
    lazy = {PACKAGE / "__init__.py", PACKAGE / "evaluate" / "__init__.py"}
    files = [file for file in PACKAGE.rglob("*.py") if file not in lazy]
    assert mentions(r"\b(import_module|__import__)\b", files) == []


@pytest.mark.parametrize("name", ["mopse", *MODULES])
def test_every_public_name_is_there_and_documented(name):
    module = importlib.import_module(name)
    assert inspect.getdoc(module)
    assert len(set(module.__all__)) == len(module.__all__)
    for public in module.__all__:
        thing = getattr(module, public)
        if not inspect.ismodule(thing) and not callable(thing):
            continue  # a constant is documented by the text below it
        assert own_doc(thing), f"{name}.{public}"
        fields = getattr(thing, "__dataclass_fields__", ())  # documented in the class
        for member, value in vars(thing).items() if inspect.isclass(thing) else ():
            if not member.startswith("_") and member not in fields:
                assert own_doc(value), f"{name}.{public}.{member}"


def own_doc(thing: object) -> str | None:
    """Return a docstring that is not inherited."""
    return thing.__doc__ if inspect.isclass(thing) else inspect.getdoc(thing)


@pytest.mark.parametrize("name", ["mopse", *MODULES])
def test_modules_name_what_is_public(name):
    module = importlib.import_module(name)
    own = {
        key
        for key, value in vars(module).items()
        if (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__ == name
        and not key.startswith("_")
    }
    assert own <= set(module.__all__)


def test_errors_all_share_one_base():
    for name in mopse.errors.__all__:
        assert issubclass(getattr(mopse.errors, name), mopse.errors.MopseError)


def loaded_by(statement: str) -> set[str]:
    """Return what of the package, the core too, a statement loads in a fresh process."""
    script = f"{statement}\nimport sys\nprint(*(m for m in sys.modules if m.startswith('mopse')))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return {name for name in ran.stdout.split() if not name.startswith("mopse._mopse.")}


def test_the_package_loads_nothing_before_it_is_asked():
    assert loaded_by("import mopse") == {"mopse"}
    assert loaded_by("import mopse; mopse.errors") == {"mopse", "mopse.errors"}


@pytest.mark.parametrize("statement", ["import mopse.cloud", "import mopse; mopse.merge"])
def test_the_cloud_loads_no_module_that_can_hold_a_key(statement):
    assert loaded_by(statement) == {
        "mopse",
        "mopse._arrays",
        "mopse._checked",
        "mopse._checks",
        "mopse._files",
        "mopse._kept",
        "mopse._mopse",
        "mopse._passing",
        "mopse._remote",
        "mopse.cloud",
        "mopse.errors",
        "mopse.messages",
        "mopse.stores",
        "mopse.stores._answers",
        "mopse.stores._base",
        "mopse.stores._catalog",
        "mopse.stores._duckdb",
        "mopse.stores._filing",
        "mopse.stores._folder",
        "mopse.stores._gone",
        "mopse.stores._missing",
        "mopse.stores._pieces",
        "mopse.stores._place",
        "mopse.stores._postgres",
        "mopse.stores._proving",
        "mopse.stores._records",
        "mopse.stores._sealing",
        "mopse.stores._sql",
        "mopse.stores._tables",
        "mopse.stores._upkeep",
    }


def test_the_package_says_what_it_can_load():
    assert set(mopse.__all__) < set(dir(mopse))
    assert mopse.__version__ == importlib.metadata.version("mopse")
    with pytest.raises(AttributeError, match="no attribute 'missing'"):
        mopse.missing  # noqa: B018
