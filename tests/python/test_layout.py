"""The boundaries of the source tree, which the file system cannot keep by itself."""

import ast
import importlib
import importlib.metadata
import inspect
import pkgutil
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import mopse

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src"
PACKAGE = ROOT / "python" / "mopse"

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(mopse.__path__, "mopse.")
    if not module.name.startswith("mopse._")
)
CLOUD = sorted(
    path
    for pattern in ("cloud.py", "stores.py", "stores/**/*.py")
    for path in PACKAGE.glob(pattern)
)
BINDINGS = {"bindings.rs", "bindings"}
KEYED = {
    "ciphers",
    "files",
    "owner",
    "passwords",
    "provider",
    "rsa",
    "scheme",
    "secret_sharing",
    "sharing",
    "user",
}
"""Modules of the package that hold keys."""


def mentions(pattern: str, files: list[Path]) -> list[str]:
    """Return the files in which a pattern occurs."""
    assert files
    return [str(f.relative_to(ROOT)) for f in files if re.search(pattern, f.read_text("utf-8"))]


def imported(path: Path) -> set[str]:
    """Return the full names of everything a module imports."""
    names = set()
    package = ["mopse", *path.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *filter(None, [node.module])])
            names |= {f"{module}.{alias.name}" for alias in node.names}
    return names


def test_only_the_bindings_know_python():
    core = [f for f in SRC.rglob("*.rs") if f.relative_to(SRC).parts[0] not in BINDINGS]
    assert mentions(r"\b(pyo3|numpy)\b", core) == []
    assert mentions(r"\bpyo3\b", [SRC / "bindings.rs"]) == ["src/bindings.rs"]


def test_the_cloud_has_no_key():
    patterns = ("index.rs", "index/**/*.rs", "certificate.rs", "certificate/**/*.rs")
    cloud = [file for pattern in patterns for file in SRC.glob(pattern)]
    assert mentions(r"\b(crate|super)::(keys\b|\{[^}]*\bkeys\b)", cloud) == []
    assert mentions(r"\bcrate::keys\b", list(SRC.rglob("*.rs")))  # it is called so elsewhere


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


@pytest.mark.parametrize("path", CLOUD, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_cloud_imports_no_module_with_keys(path):
    keyed = {name for name in imported(path) if set(name.split(".")[1:]) & KEYED}
    assert {name for name in keyed if name.startswith("mopse.")} == set()


def test_there_is_a_cloud_to_look_at():
    assert PACKAGE / "cloud.py" in CLOUD
    assert "mopse._mopse" in imported(PACKAGE / "cloud.py")


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
    """Return the modules of the package that a fresh process has after a statement."""
    script = f"{statement}\nimport sys\nprint(*(m for m in sys.modules if m.startswith('mopse')))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(ran.stdout.split())


def test_the_package_loads_nothing_before_it_is_asked():
    assert loaded_by("import mopse") == {"mopse"}
    assert loaded_by("import mopse; mopse.errors") == {"mopse", "mopse.errors"}


@pytest.mark.parametrize("statement", ["import mopse.cloud", "import mopse; mopse.merge"])
def test_the_cloud_loads_no_module_that_can_hold_a_key(statement):
    assert loaded_by(statement) == {
        "mopse",
        "mopse._checks",
        "mopse._mopse",
        "mopse.cloud",
        "mopse.errors",
        "mopse.messages",
        "mopse.stores",
        "mopse.stores.memory",
    }


def test_the_package_says_what_it_can_load():
    assert set(mopse.__all__) < set(dir(mopse))
    assert mopse.__version__ == importlib.metadata.version("mopse")
    with pytest.raises(AttributeError, match="no attribute 'missing'"):
        mopse.missing  # noqa: B018
