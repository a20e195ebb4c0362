"""Reads docker-compose.yml, .env.example and the Dockerfiles, for scripts/stack; alone, it checks them."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parent.parent.parent
STACK = Path(os.environ["STACK_DIR"]).resolve()


class Failure(Exception):
    """Ends the script with a message."""


def with_setting(text, name, value):
    line = f"{name}={value}" if re.fullmatch(r"[\w./:,@?=+*-]*", value) else f"{name}='{value}'"
    changed, count = re.subn(rf"^#?{name}=.*$", lambda _: line, text, count=1, flags=re.MULTILINE)
    return changed if count else f"{text}{line}\n"


def uncommented(text, name):
    changed, count = re.subn(rf"^#({name}=)", r"\1", text, count=1, flags=re.MULTILINE)
    if not count:
        raise Failure(f".env.example has no line #{name}=")
    return changed


def resolved(settings, folder):
    """docker-compose.yml with `settings` in .env: `(services, None)`, or `(None, what docker-compose says)`."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in ("docker-compose.yml", "Dockerfile", "docker", "examples"):
        (folder / name).symlink_to(REPOSITORY / name)
    (folder / ".env").touch(mode=0o600)
    (folder / ".env").write_text(settings)
    # Not this process's environment: docker-compose lets it win over .env.
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    command = ["docker-compose", "--profile", "mail", "config"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        return None, done.stderr.strip()
    return yaml.safe_load(done.stdout)["services"], None


def in_order(services):
    """Names of the services, each after those it depends on."""
    order = []

    def visit(name):
        for needed in services[name].get("depends_on", {}):
            visit(needed)
        if name not in order:
            order.append(name)

    for name in services:
        visit(name)
    return order


def dockerfile(spec):
    """ENV, ENTRYPOINT and CMD of the last stage of the Dockerfile that a service is built from."""
    build = spec["build"]
    path = Path(build["context"]) / build.get("dockerfile", "Dockerfile")
    lines = re.sub(r"^\s*#.*\n", "", path.read_text(), flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    environment, entrypoint, command = {}, [], []
    for line in lines:
        instruction, _, rest = line.strip().partition(" ")
        match instruction:
            case "FROM":
                environment, entrypoint, command = {}, [], []
            case "ENV":
                environment.update(word.split("=", 1) for word in shlex.split(rest))
            case "ENTRYPOINT":
                entrypoint = json.loads(rest)
            case "CMD":
                command = json.loads(rest)
    return environment, entrypoint, command


def check():
    """Everything about the files of containers that can be told without an engine."""
    failed = passed = 0

    def verdict(what, problem):
        nonlocal failed, passed
        passed, failed = (passed, failed + 1) if problem else (passed + 1, failed)
        print(f"{'FAILED' if problem else 'ok':<7} {what}" + (f"\n{problem}" if problem else ""))

    folder = STACK / "check"
    example = (REPOSITORY / ".env.example").read_text()
    needed = {"BETTER_AUTH_SECRET": "s" * 32, "POSTGRES_PASSWORD": "password"}
    filled = example
    for name, value in needed.items():
        filled = with_setting(filled, name, value)
    verdict("docker-compose.yml with .env.example and its two secrets", resolved(filled, folder)[1])
    for name in needed:
        said = resolved(with_setting(filled, name, ""), folder)[1] or "it was accepted"
        wanted = f"copy .env.example to .env and set {name} there"
        verdict(f"{name} left empty is refused with a sentence", None if wanted in said else said)
    shutil.rmtree(folder)
    hadolint = str(STACK / "lint/bin/hadolint")
    for path in [REPOSITORY / "Dockerfile", *REPOSITORY.glob("docker/*/Dockerfile"), *REPOSITORY.glob("examples/*/Dockerfile")]:
        done = subprocess.run([hadolint, path], capture_output=True, text=True)
        verdict(f"hadolint {path.relative_to(REPOSITORY)}", done.returncode and done.stdout + done.stderr)
    print(f"checks: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(check())
