"""The part of scripts/stack that comes after the installing: see there what it does and for whom."""

import hashlib
import json
import os
import pwd
import random
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from compose import REPOSITORY, STACK, Failure, dockerfile, in_order, resolved, uncommented, with_setting

LOGS = STACK / "logs"
STATE = STACK / "state.json"
VENV = STACK / "venv"
SITE = STACK / "site"
MAIL = STACK / "mail"
POSTGRES = {**os.environ, "POSTGRES_STATE": str(STACK / "postgres.state")}
PYTHON = "/usr/bin/python3"  # aiosmtpd and yaml are Debian's

# The port each service listens on in its container.
CONTAINER_PORTS = {"postgres": 5432, "sidecar": 4000, "backend": 8000, "web": 8080, "mailpit": 1025}
PATIENCE = 60  # seconds until a service must be healthy


def say(text):
    print(text, file=sys.stderr, flush=True)


# ---- Processes --------------------------------------------------------------------------------------------------------


def began(pid):
    """When a process started, in ticks since boot, so that a reused pid is not taken for it; None if it is gone."""
    try:
        os.waitpid(pid, os.WNOHANG)  # reaps a child of ours
    except ChildProcessError:
        pass
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else int(fields[19])


def alive(process):
    return began(process["pid"]) == process["began"]


def end(process):
    if alive(process):
        os.kill(process["pid"], signal.SIGTERM)
        give_up = time.monotonic() + 12
        while alive(process) and time.monotonic() < give_up:
            time.sleep(0.05)
        # What is left of its group, itself included.
        try:
            os.killpg(process["pid"], signal.SIGKILL)
        except ProcessLookupError:
            pass


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do, after an earlier one
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port(taken=()):
    while True:
        port = random.randrange(20000, 32000)  # below the ports that a system hands out by itself
        if port not in taken and is_free(port):
            return port


def public_port():
    """The one of the last time if it is free: the site is built for it."""
    stamp = STACK / "port.stamp"
    last = int(stamp.read_text()) if stamp.exists() else 0
    port = last if last and is_free(last) else free_port()
    stamp.write_text(str(port))
    return port


def load_state():
    return json.loads(STATE.read_text()) if STATE.exists() else None


def is_running(state):
    return state is not None and state.get("ready", False) and all(alive(process) for process in state["processes"])


class Stack:
    def __init__(self, extra):
        self.extra = extra
        self.ports = {}
        # nginx does not run as root, and other users may not be able to enter this checkout.
        self.web_folder = Path(tempfile.mkdtemp(prefix="auth-sidecar-stack."))
        self.state = {"processes": [], "web_folder": str(self.web_folder)}
        self.save()

    def save(self):
        STATE.touch(mode=0o600)
        STATE.write_text(json.dumps(self.state, indent=2))

    # -- translation: the only changes to what the files say

    def elsewhere(self, text):
        """Names and ports of other containers become addresses here."""
        for name, port in CONTAINER_PORTS.items():
            text = re.sub(rf"\b{name}:{port}\b", f"127.0.0.1:{self.ports[name]}", text)
        return text

    def here(self, name, text):
        """The port that a container listens on becomes the one that its process has."""
        return re.sub(rf"\b{CONTAINER_PORTS[name]}\b", str(self.ports[name]), text.replace("0.0.0.0", "127.0.0.1"))

    def program(self, word):
        if word == "/usr/bin/auth-sidecar":
            return os.environ["AUTH_SIDECAR_BIN"]
        in_venv = VENV / "bin" / word
        return str(in_venv) if in_venv.exists() else word

    def environment(self, name, spec):
        image, _, _ = dockerfile(spec)
        variables = {key: self.here(name, value) for key, value in image.items()}
        variables.update((key, self.elsewhere(str(value))) for key, value in spec.get("environment", {}).items())
        if name == "web":
            variables.update(
                WEB_LISTEN=f"127.0.0.1:{self.ports['web']}",
                WEB_ROOT=str(self.web_folder / "site"),
                WEB_RUN=str(self.web_folder),
                NGINX_LOCAL_RESOLVERS="127.0.0.1",  # never asked: there is no name left to look up
            )
        return {**variables, "PATH": f"{VENV}/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/nonexistent", "LANG": "C.UTF-8"}

    # -- the services

    def start(self):
        self.ports["web"] = public_port()
        url = f"http://localhost:{self.ports['web']}"
        text = (REPOSITORY / ".env.example").read_text()
        text = uncommented(uncommented(text, "AUTH_MAIL"), "AUTH_MAIL_FROM")
        settings = {
            "BETTER_AUTH_SECRET": secrets.token_urlsafe(32),
            "POSTGRES_PASSWORD": secrets.token_hex(24),
            "BETTER_AUTH_URL": url,
            "WEB_ADDRESS": f"127.0.0.1:{self.ports['web']}",
            **self.extra,
        }
        for name, value in settings.items():
            text = with_setting(text, name, value)
        services, problem = resolved(text, STACK / "compose")
        if problem:
            raise Failure(f"docker-compose refuses docker-compose.yml:\n{problem}")
        if services.keys() != CONTAINER_PORTS.keys() | {"migrate"}:
            raise Failure(f"docker-compose.yml has services that this script does not know: {', '.join(services)}")
        self.ports["migrate"] = 0  # listens nowhere
        for name in CONTAINER_PORTS.keys() - {"web"}:
            self.ports[name] = free_port(self.ports.values())

        shutil.rmtree(LOGS, ignore_errors=True)
        LOGS.mkdir(parents=True)
        build_site(services["web"]["build"]["args"])
        build_venv(Path(services["backend"]["build"]["context"]))
        for name in in_order(services):
            say(f"stack: {name}")
            special = getattr(self, f"start_{name}", None)
            special(services[name]) if special else self.start_built(name, services[name])
        database = self.elsewhere(services["backend"]["environment"]["DATABASE_URL"])
        self.state.update(
            ready=True,
            url=services["sidecar"]["environment"]["BETTER_AUTH_URL"],
            variables={
                "STACK_URL": url,
                "STACK_SIDECAR_URL": f"http://127.0.0.1:{self.ports['sidecar']}",
                "STACK_BACKEND_URL": f"http://127.0.0.1:{self.ports['backend']}",
                "STACK_DATABASE_URL": database,
                "STACK_MAIL": str(MAIL),
                "STACK_WEB_LOG": str(LOGS / "web.log"),
            },
        )
        self.save()

    def start_postgres(self, spec):
        """A private server with the role and the database that the image makes at its first start."""
        done = subprocess.run([REPOSITORY / "scripts/postgres", "start"], env=POSTGRES, capture_output=True, text=True)
        if done.returncode != 0:
            raise Failure(done.stderr.strip())
        administrator = done.stdout.strip()
        self.ports["postgres"] = int(re.search(r":(\d+)/", administrator)[1])
        wanted = spec["environment"]
        quoted = wanted["POSTGRES_PASSWORD"].replace("'", "''")
        for statement in (
            f"CREATE ROLE {wanted['POSTGRES_USER']} LOGIN PASSWORD '{quoted}'",
            f"CREATE DATABASE {wanted['POSTGRES_DB']} OWNER {wanted['POSTGRES_USER']}",
        ):
            subprocess.run(["psql", "--quiet", "--no-psqlrc", administrator], input=statement, text=True, check=True)
        self.wait_healthy("postgres", spec, dict(os.environ), None)

    def start_mailpit(self, _spec):
        """Another program than the container's: it keeps each mail as a file of a Maildir."""
        shutil.rmtree(MAIL, ignore_errors=True)
        listen = f"127.0.0.1:{self.ports['mailpit']}"
        command = [PYTHON, "-m", "aiosmtpd", "--nosetuid", "--listen", listen, "--class", "aiosmtpd.handlers.Mailbox", str(MAIL)]
        process = self.spawn("mailpit", command, {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"})

        def answers():
            try:
                socket.create_connection(("127.0.0.1", self.ports["mailpit"]), timeout=1).close()
            except OSError:
                return False
            return True

        self.wait("mailpit", process, answers)

    def start_migrate(self, spec):
        command, environment = self.command("migrate", spec), self.environment("sidecar", spec)
        log = LOGS / "migrate.log"
        with log.open("wb") as output:
            status = subprocess.run(command, env=environment, stdout=output, stderr=output).returncode
        if status != 0:
            raise Failure(f"migrate ended with {status}:\n{log.read_text()}")

    def start_web(self, spec):
        environment = self.environment("web", spec)
        template = (REPOSITORY / "docker/web/nginx.conf.template").read_text()
        # As the entry point of nginx's image does it: variables of the environment, and no others.
        text = re.sub(r"\$\{(\w+)\}", lambda found: environment.get(found[1], found[0]), template)
        (self.web_folder / "nginx.conf").write_text(text)
        shutil.copytree(SITE, self.web_folder / "site")
        command = [word.replace("/tmp/", f"{self.web_folder}/") for word in self.command("web", spec)]
        owner = pwd.getpwnam("www-data") if os.getuid() == 0 else None
        if owner:
            shutil.chown(self.web_folder, owner.pw_uid, owner.pw_gid)
        # Debian's nginx would open a log of its own before it reads its configuration.
        process = self.spawn("web", [*command, "-e", "stderr"], environment, owner=owner)
        self.wait_healthy("web", spec, environment, process)

    def start_built(self, name, spec):
        environment = self.environment(name, spec)
        process = self.spawn(name, self.command(name, spec), environment, folder=spec["build"]["context"])
        self.wait_healthy(name, spec, environment, process)

    # -- what they have in common

    def command(self, name, spec):
        _, entrypoint, command = dockerfile(spec)
        words = [*entrypoint, *(spec.get("command") or command)]
        own = "sidecar" if name == "migrate" else name
        return [self.program(words[0]), *(self.here(own, word) for word in words[1:])]

    def spawn(self, name, command, environment, folder=STACK, owner=None):
        log = (LOGS / f"{name}.log").open("wb")
        user = {}
        if owner:
            os.chown(log.fileno(), owner.pw_uid, owner.pw_gid)
            user = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        child = subprocess.Popen(
            command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **user
        )
        process = {"name": name, "pid": child.pid, "began": began(child.pid)}
        self.state["processes"].append(process)
        self.save()
        return process

    def wait_healthy(self, name, spec, environment, process):
        kind, *words = spec["healthcheck"]["test"]
        if kind != "CMD":
            raise Failure(f"the health check of {name} is not of the form CMD")
        command = [self.program(words[0]), *(self.here(name, word) for word in words[1:])]

        def healthy():
            return subprocess.run(command, env=environment, capture_output=True, timeout=10).returncode == 0

        self.wait(name, process, healthy)

    def wait(self, name, process, ready):
        give_up = time.monotonic() + PATIENCE
        while not ready():
            over = process is not None and not alive(process)
            if over or time.monotonic() > give_up:
                log = LOGS / f"{name}.log"
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-30:]) if log.exists() else ""
                raise Failure(f"{name} {'ended' if over else f'is not healthy after {PATIENCE} s'}; {log}:\n{tail}")
            time.sleep(0.1)


# ---- What is built once -----------------------------------------------------------------------------------------------

NOT_SOURCES = ("node_modules", "build", ".docusaurus", "__pycache__", ".venv", ".pytest_cache")


def digest(folder, *more):
    total = hashlib.sha256(repr(more).encode())
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_file() and not set(inside.parts) & set(NOT_SOURCES):
            total.update(f"{inside}\0".encode() + path.read_bytes())
    return total.hexdigest()


def unless_done(stamp, value, what, work):
    if stamp.exists() and stamp.read_text() == value:
        return
    say(f"stack: {what}")
    stamp.unlink(missing_ok=True)
    work()
    stamp.write_text(value)


def visibly(command, **options):
    """Runs a command of a build; what it prints goes to standard error."""
    if subprocess.run(command, stdout=sys.stderr, **options).returncode != 0:
        raise Failure(f"{' '.join(map(str, command))} failed")


def build_site(arguments):
    """As docker/web/Dockerfile does it, in a copy: nothing is written into the example's folder."""
    source, copy = REPOSITORY / "examples/docusaurus-site", STACK / "site-source"

    def build():
        copy.mkdir(parents=True, exist_ok=True)
        for old in copy.iterdir():
            if old.name != "node_modules":
                shutil.rmtree(old) if old.is_dir() else old.unlink()
        shutil.copytree(source, copy, ignore=shutil.ignore_patterns(*NOT_SOURCES), dirs_exist_ok=True)
        lock = hashlib.sha256((copy / "package-lock.json").read_bytes()).hexdigest()
        install = ["npm", "ci", "--no-fund", "--no-audit"]
        unless_done(STACK / "npm.stamp", lock, "packages of the site (npm ci)", lambda: visibly(install, cwd=copy))
        visibly(["npm", "run", "build"], cwd=copy, env={**os.environ, **arguments})
        shutil.rmtree(SITE, ignore_errors=True)
        shutil.copytree(copy / "build", SITE / "book")

    unless_done(STACK / "site.stamp", digest(source, arguments), "the site (npm run build)", build)


def build_venv(backend):
    requirements = backend / "requirements.txt"

    def build():
        visibly([PYTHON, "-m", "venv", "--clear", VENV])
        visibly([VENV / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", requirements])

    unless_done(STACK / "venv.stamp", requirements.read_text(), "packages of the backend (pip)", build)


# ---- Commands ---------------------------------------------------------------------------------------------------------


def stop():
    state = load_state()
    if state:
        for process in reversed(state["processes"]):
            end(process)
        shutil.rmtree(state["web_folder"], ignore_errors=True)
        STATE.unlink()
    subprocess.run([REPOSITORY / "scripts/postgres", "stop"], env=POSTGRES, check=True)


def start(extra):
    if is_running(load_state()):
        raise Failure("it is running already: scripts/stack stop")
    STACK.mkdir(parents=True, exist_ok=True)
    stop()  # what a killed one left
    try:
        stack = Stack(extra)
        stack.start()
    except BaseException:
        stop_undisturbed()
        raise
    return stack.state


def stop_undisturbed():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    stop()


def run(extra, command):
    state = start(extra)
    child = None
    try:
        child = subprocess.Popen(command, env={**os.environ, **state["variables"]})
        return child.wait()
    finally:
        if child and child.poll() is None:
            child.terminate()
            child.wait()
        for process in state["processes"]:
            if not alive(process):
                say(f"stack: {process['name']} ended by itself, see {LOGS / process['name']}.log")
        stop_undisturbed()


def main(arguments):
    verb, *rest = arguments
    extra = {}
    while rest and re.match(r"[A-Z][A-Z0-9_]*=", rest[0]):
        name, value = rest.pop(0).split("=", 1)
        extra[name] = value
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))
    match verb:
        case "start" if not rest:
            print(start(extra)["url"])
        case "run" if rest:
            return run(extra, rest)
        case "stop":
            stop()
        case "url":
            state = load_state()
            if not is_running(state):
                raise Failure("not running")
            print(state["url"])
        case _:
            raise Failure("usage: scripts/stack start|stop|url|run (--help tells more)")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Failure as failure:
        sys.exit(f"scripts/stack: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
