"""What `make` calls: brings `.venv` to what the lock says, then starts what was asked for.

Only the standard library, and syntax that any Python 3 reads, so that even one too old says so in a clear line.
"""

import contextlib
import hashlib
import importlib.util
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from typing import Iterator, Sequence

from common import preflight

OLDEST = (3, 11)
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
RUN_LOCK = "requirements.lock"
EVERY_PAGE = "tests/e2e/test_every_page.py"
# The proofs in which the database has a say; of the others, what holds on one holds on the other.
BY_DATABASE = [
    "tests/alerts",
    *("tests/faults/test_" + it + ".py" for it in ("web_kills", "fsync", "hostile_bodies", "storm")),
]
# What has a full size: all that asks more than `make test` has time for. Faults are timed, as is
# the real Alertmanager: nothing runs beside them.
FAULTS = ["tests/faults", "tests/e2e/test_rig.py"]
STRANGERS = ["tests/test_strangers.py", "tests/test_secrets.py", "tests/people/test_guessing.py"]
STRANGERS += ["tests/test_openapi.py", "tests/incidents/test_answering.py"]
DEV_LOCK = "requirements-dev.lock"  # holds all of the other, at the same versions

# What a user's own pip settings would turn into an install that lands elsewhere, or nowhere.
MISLEADING_PIP_SETTINGS = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_NO_DEPS", "PIP_DRY_RUN", "PIP_REQUIREMENT")
# What of them is still needed to get through to an index when the rest is set aside.
CONNECTION_SETTINGS = ("PIP_CERT", "PIP_CLIENT_CERT", "PIP_PROXY", "PIP_DEFAULT_TIMEOUT", "PIP_TRUSTED_HOST")


def run() -> None:
    """Install, and become `manage.py serve`."""
    preflight.check_data_folder(os.environ.get("BURNLINE_DATA_DIR") or os.path.join(ROOT, "var"))
    preflight.check_port(os.environ.get("BURNLINE_HOST") or "127.0.0.1", os.environ.get("BURNLINE_PORT") or "8000")
    install(RUN_LOCK)
    end_with_parent()
    become([PYTHON, "manage.py", "serve"])


def demo() -> None:
    """Install, and become `manage.py demo`: on data of its own, and never on a real database or mail server."""
    for name in ("DATABASE_URL", "REDIS_URL", "BURNLINE_SMTP_URL", "BURNLINE_PUBLIC_URL"):
        os.environ.pop(name, None)
    folder = os.environ.setdefault("BURNLINE_DATA_DIR", os.path.join(ROOT, "var", "demo"))
    port = os.environ.setdefault("BURNLINE_PORT", "8800")
    os.environ.setdefault("BURNLINE_LOG_LEVEL", "WARNING")  # its samples would fill the terminal with requests
    check_programs_of_demo()
    preflight.check_data_folder(folder)
    check_ports_of_demo(port)
    install(RUN_LOCK)
    end_with_parent()
    become([PYTHON, "manage.py", "demo"])


def check_programs_of_demo() -> None:
    """Refuse at once, before anything is installed, where Prometheus or Alertmanager is missing."""
    from demo import programs  # only a Python that is new enough can read it

    programs.binaries()


def check_ports_of_demo(port: str) -> None:
    """Burnline's, and the three above it: fraud-scorer's, Prometheus' and Alertmanager's."""
    taken = port
    try:
        preflight.check_port("127.0.0.1", port)
        for taken in (str(int(port) + beside) for beside in (1, 2, 3)):
            preflight.check_port("127.0.0.1", taken)
    except preflight.Refusal as refusal:
        if "in use" not in str(refusal):
            raise preflight.Refusal(str(refusal).replace("make run", "make demo")) from None
        raise preflight.Refusal(
            "the demo needs four ports in a row, and {} is in use. Stop what runs there, or choose others: "
            "make demo PORT={}".format(taken, (int(port) + 10) % 65532 or 8800)
        ) from None


def test(*words: str) -> None:
    """The suite on SQLite, on all cores."""
    install(DEV_LOCK)
    with settings_of_tests() as env:
        succeed([PYTHON, "-m", "pytest", *side_by_side(), "-m", "not e2e and not proof", *words], env)


def test_all(*words: str) -> None:
    """The suite on PostgreSQL and Redis, a share of the proofs on both databases, then what drives a whole installation
    from outside."""
    install(DEV_LOCK)
    with settings_of_tests() as env:
        pytest, of_each_core = [PYTHON, "-m", "pytest"], ["-n", str(cores())]
        tests = [*side_by_side(), "-m", "not e2e and not proof", *words]
        succeed([*clusters(tests, "--no-sync"), *pytest, *tests], env, no_tests_is_fine=bool(words))
        proofs = [*of_each_core, "-m", "proof and not e2e", *words]
        succeed([*clusters(proofs), *pytest, *proofs], env, no_tests_is_fine=bool(words))
        # Both take minutes, and neither is in a hurry. The browser's own loop goes on in the worker that had it, and
        # keeps Django from nothing there.
        beside = [*of_each_core, "--dist", "loadfile", "-m", "proof or e2e", *words, *BY_DATABASE, EVERY_PAGE]
        succeed([*pytest, *beside], {**env, "DJANGO_ALLOW_ASYNC_UNSAFE": "1"}, no_tests_is_fine=bool(words))
        # Nothing beside them: they measure, and each starts servers of its own.
        succeed(
            [PYTHON, "-m", "pytest", "-m", "e2e", "--ignore=" + EVERY_PAGE, *words], env, no_tests_is_fine=bool(words)
        )


def side_by_side() -> "list[str]":
    """More workers than cores, since many tests wait for something; who is done first takes over from the others."""
    return ["-n", str(cores() + (cores() + 1) // 2), "--dist", "worksteal"]


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def clusters(options: "Sequence[str]", *words: str) -> "list[str]":
    """What to put before pytest with these options: a PostgreSQL and a Redis for each of its workers."""
    return [PYTHON, "-m", "tests.clusters", *words, *(options[:2] if options[:1] == ["-n"] else [])]


def prove(*words: str) -> None:
    """What is promised of faults and of strangers, at full size, on both databases; what was measured is kept in
    evidence/, and told in docs/reliability.md."""
    install(DEV_LOCK)
    with settings_of_tests() as env:
        others = [*side_by_side(), "-m", "proof", "--ignore=" + FAULTS[0]]
        proofs = [words] if words else [FAULTS, others, [*side_by_side(), *STRANGERS]]
        whole = {**env, "BURNLINE_PROVE": "1", "BURNLINE_FUZZ": "100"}
        for is_postgresql in (False, True):
            for proof in proofs:
                beside = clusters(proof) if is_postgresql else []
                succeed([*beside, PYTHON, "-m", "pytest", *proof], whole)
        succeed([PYTHON, "-m", "tests.reliability_page"], env)


def bench(*words: str) -> None:
    """Measure on both databases, into bench/results.json."""
    install(DEV_LOCK)
    with settings_of_tests() as env:
        succeed([PYTHON, "-m", "bench", *words], env)


def screenshots() -> None:
    """The main path's steps and every page, photographed into docs/screenshots; what is no longer made leaves it."""
    install(DEV_LOCK)
    folder = os.path.join(ROOT, "docs", "screenshots")
    with settings_of_tests() as env, tempfile.TemporaryDirectory(prefix="burnline-screenshots-") as made:
        words = ["-m", "e2e", "-k", "an_alert_becomes or is_photographed"]
        words += ["tests/e2e/test_whole_path.py", "tests/e2e/test_pictures.py"]
        succeed([PYTHON, "-m", "pytest", "-q", *words], {**env, "BURNLINE_SCREENSHOTS": made})
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(made, folder)


def check() -> None:
    """All of them, also after one has failed."""
    install(DEV_LOCK)
    failed = []
    with settings_of_tests() as env:
        production = dict(
            env, BURNLINE_PUBLIC_URL="https://burnline.example.com", BURNLINE_SECRET_KEY=secrets.token_urlsafe(50)
        )
        for title, words, its_env in (
            ("lint", ["ruff", "check", "."], env),
            ("format", ["ruff", "format", "--check", "."], env),
            ("templates' form", ["djlint", "templates", "--check"], env),
            ("templates", ["djlint", "templates", "--lint", "--quiet"], env),
            ("types", ["mypy"], env),
            ("import rules", ["pytest", "-q", "-p", "no:cacheprovider", "tests/test_architecture.py"], env),
            ("migrations", ["manage.py", "makemigrations", "--check", "--dry-run"], env),
            ("deployment", ["manage.py", "check", "--deploy", "--fail-level", "WARNING"], production),
        ):
            say("checking " + title)
            command = [PYTHON, *words] if words[0] == "manage.py" else [PYTHON, "-m", *words]
            if subprocess.call(command, cwd=ROOT, env=its_env):
                failed.append(title)
    if failed:
        raise preflight.Refusal("make check failed: " + ", ".join(failed))
    say("everything that make check looks at is in order")


def format_() -> None:
    """Put code and templates into their form."""
    install(DEV_LOCK)
    succeed([PYTHON, "-m", "ruff", "check", "--fix", "--quiet", "."], os.environ)
    succeed([PYTHON, "-m", "ruff", "format", "--quiet", "."], os.environ)
    subprocess.call([PYTHON, "-m", "djlint", "templates", "--reformat", "--quiet"], cwd=ROOT)


def messages() -> None:
    """Write the catalogues of words anew."""
    if not shutil.which("xgettext"):
        raise preflight.Refusal(
            "gettext's tools are not here. Debian and Ubuntu: apt install gettext, then run make again."
        )
    install(DEV_LOCK)
    with settings_of_tests() as env:
        succeed([PYTHON, "manage.py", "messages"], env)


def lock() -> None:
    """Write both locks anew, for every Python from 3.11 on, without the address of any index."""
    install(DEV_LOCK)
    compile_ = [PYTHON, "-m", "uv", "pip", "compile", "--quiet", "--upgrade", "--universal", "--python-version", "3.11"]
    compile_ += ["--generate-hashes", "--no-emit-index-url", "--no-emit-find-links", "--no-header"]
    succeed([*compile_, "requirements.txt", "-o", RUN_LOCK], os.environ)
    succeed([*compile_, "requirements-dev.in", "-c", RUN_LOCK, "-o", DEV_LOCK], os.environ)
    say("wrote {} and {}".format(RUN_LOCK, DEV_LOCK))


def check_python() -> None:
    """Refuse a Python older than 3.11, naming a newer one if there is one."""
    if sys.version_info >= OLDEST:
        return
    newer = next((name for name in ("python3.13", "python3.12", "python3.11") if runs(name)), None)
    raise preflight.Refusal(
        "Python {}.{} is too old, 3.11 or newer is needed. ".format(*sys.version_info[:2])
        + ("Use the one you have: add PYTHON=" + newer if newer else "Install one, then add PYTHON=python3.11")
        + " to the make command."
    )


def runs(python: str) -> bool:
    """Whether there is such a command, and it starts (a pyenv shim may not)."""
    if not shutil.which(python):
        return False
    return subprocess.call([python, "-c", ""], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0


def install(lock_name: str) -> None:
    """Bring .venv to what the lock says. Costs nothing when it is there already; an interrupted install is redone."""
    with only_one_at_a_time():
        wanted = stamp(lock_name)
        if wanted in stamps_in_venv():
            return
        unfinished = os.path.join(VENV, "install-unfinished")
        if not is_usable(VENV) or os.path.exists(unfinished):
            make_venv()
        for name in (RUN_LOCK, DEV_LOCK):
            remove_if_there(stamp_path(name))
        write(unfinished, "")
        say("installing {} into .venv (a minute or two; once)".format(lock_name))
        pip_install(lock_name)
        # The lock for development holds all of the other.
        for name in (RUN_LOCK, DEV_LOCK) if lock_name == DEV_LOCK else (RUN_LOCK,):
            write(stamp_path(name), stamp(name))
        os.remove(unfinished)


def stamp(lock_name: str) -> str:
    """What an installation of this lock, by this Python, is known by."""
    with open(os.path.join(ROOT, lock_name), "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    return "{} {} {}.{}".format(lock_name, digest, *sys.version_info[:2])


def stamp_path(lock_name: str) -> str:
    return os.path.join(VENV, lock_name + ".installed")


def stamps_in_venv() -> "set[str]":
    found = set()
    for name in (RUN_LOCK, DEV_LOCK):
        try:
            with open(stamp_path(name)) as file:
                found.add(file.read().strip())
        except OSError:
            continue
    return found if os.path.exists(PYTHON) else set()


def is_usable(folder: str) -> bool:
    """Whether it is a virtual environment, with pip, of this version of Python."""
    library = os.path.join(folder, "lib", "python{}.{}".format(*sys.version_info[:2]), "site-packages", "pip")
    return os.path.exists(os.path.join(folder, "bin", "python")) and os.path.isdir(library)


def make_venv() -> None:
    if not importlib.util.find_spec("venv") or not importlib.util.find_spec("ensurepip"):
        raise preflight.Refusal(
            "this Python has no venv module. Debian and Ubuntu: apt install python3-venv (elsewhere the package that "
            "brings venv and ensurepip), then run make again."
        )
    say("making .venv")
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", VENV], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if made.returncode:
        show_last_lines(made.stdout)
        raise preflight.Refusal("could not make {}. Is the folder writable, is the disk full?".format(VENV))


def pip_install(lock_name: str) -> None:
    """Install with the user's own pip settings (a company's index), and without them if they stand in the way."""
    env = {name: value for name, value in os.environ.items() if name not in MISLEADING_PIP_SETTINGS}
    env.update(PIP_USER="0", PIP_REQUIRE_VIRTUALENV="0", PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_NO_INPUT="1")
    env.pop("PYTHONPATH", None)
    plain = {k: v for k, v in env.items() if not k.startswith("PIP_") or k in CONNECTION_SETTINGS}
    plain.update(PIP_CONFIG_FILE=os.devnull, PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_NO_INPUT="1")
    command = [PYTHON, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", lock_name]

    output = b""
    for attempt in (env, plain):
        installed = subprocess.run(command, cwd=ROOT, env=attempt, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        output = installed.stdout
        if not installed.returncode and subprocess.call([PYTHON, "-c", "import django"], cwd=ROOT, env=attempt) == 0:
            return
        if not subprocess.check_output([PYTHON, "-m", "pip", "config", "list"], env=env).strip():
            break
    show_last_lines(output)
    raise preflight.Refusal(
        "could not install {}: pip's last lines are above. Is the network there? Then run make again.".format(lock_name)
    )


def show_last_lines(output: bytes) -> None:
    lines = [line for line in output.decode(errors="replace").splitlines() if not line.startswith("WARNING: Location")]
    sys.stderr.write("".join("    " + line + "\n" for line in lines[-12:]))


@contextlib.contextmanager
def only_one_at_a_time() -> "Iterator[None]":
    """Two `make` at once on a fresh checkout: the second waits for the first one's install."""
    import fcntl

    folder = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


@contextlib.contextmanager
def settings_of_tests() -> "Iterator[dict[str, str]]":
    """An environment for tests: what an operator has set (a real database, a public address) does not leak in."""
    folder = tempfile.mkdtemp(prefix="burnline-tests-")
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("BURNLINE_") and name not in ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE")
    }
    env["BURNLINE_DATA_DIR"] = folder
    try:
        yield env
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def end_with_parent() -> None:
    """If make itself is killed, be told to stop as by Ctrl-C (Linux; elsewhere nothing)."""
    if sys.platform == "linux":
        import ctypes
        import signal

        pr_set_pdeathsig = 1
        ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGTERM)


def become(command: "list[str]") -> None:
    sys.stdout.flush()
    os.chdir(ROOT)
    os.execv(command[0], command)


def succeed(command: "list[str]", env: "os._Environ[str] | dict[str, str]", no_tests_is_fine: bool = False) -> None:
    """Run it; its failure is ours."""
    code = subprocess.call(command, cwd=ROOT, env=env)
    if code and not (no_tests_is_fine and code == 5):
        sys.exit(code if code > 0 else 1)


def write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def remove_if_there(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.remove(path)


def say(words: str) -> None:
    print("burnline: " + words, flush=True)


COMMANDS = {
    "run": run,
    "demo": demo,
    "test": test,
    "test-all": test_all,
    "prove": prove,
    "bench": bench,
    "screenshots": screenshots,
    "check": check,
    "format": format_,
    "messages": messages,
    "lock": lock,
}


def main(arguments: "list[str]") -> None:
    try:
        check_python()
        COMMANDS[arguments[0]](*arguments[1:])
    except preflight.Refusal as refusal:
        sys.exit("burnline: {}".format(refusal))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main(sys.argv[1:])
