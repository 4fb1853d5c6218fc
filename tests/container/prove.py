"""Verifies the Dockerfile without a container engine. Needs root and debootstrap.

The steps are run in Debian root file systems, one per stage, with Debian's python3 in place of the
base image's. The result is then run as the image's user, read-only and without a network.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).parents[2]
# Variables that configure the host's access to the package registry.
REGISTRY = ("PIP_CERT", "PIP_INDEX_URL", "SSL_CERT_FILE", "http_proxy", "https_proxy", "no_proxy")
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"

# Does what `docker run --read-only --tmpfs /tmp --cap-drop ALL --network none` would do, in a
# separate mount namespace that leaves nothing mounted.
CONFINE = """
root=$1 uid=${2%:*} gid=${2#*:} step=$3
ip link set lo up
mount --bind "$root" "$root"
mount --bind "$root/data" "$root/data"
mount -t tmpfs tmpfs "$root/tmp"
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
mount -o remount,bind,ro "$root"
exec chroot "$root" /usr/bin/setpriv --reuid "$uid" --regid "$gid" --clear-groups --no-new-privs \
  --bounding-set=-all --inh-caps=-all /bin/sh -euc "$step"
"""
CONFINED = ("unshare", "--mount", "--net", "bash", "-euc", CONFINE, "-")

# Serves one request; /healthz responds with the given status.
ANSWER = """
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(sys.argv[1]) if self.path == "/healthz" else 404)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", 9464), Answer).handle_request()
"""


@dataclass(slots=True)
class Stage:
    """The state of a Dockerfile stage after the steps so far."""

    root: Path
    workdir: str = "/"
    user: str = "0:0"
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": SYSTEM_PATH})
    entrypoint: Sequence[str] = ()
    healthcheck: Sequence[str] = ()

    def set_environment(self, pairs: str) -> None:
        """Run an ENV step, or an ARG step with a default; $PATH is the only variable expanded."""
        for pair in shlex.split(pairs):
            name, _, value = pair.partition("=")
            self.environment[name] = value.replace("$PATH", self.environment["PATH"])

    def run(self, script: str) -> None:
        """Run a RUN step as root on the host's network."""
        passed = {name: os.environ[name] for name in REGISTRY if name in os.environ}
        subprocess.run(
            ["chroot", self.root, "/bin/sh", "-ec", f"cd {self.workdir}\n{script}"],
            env=passed | self.environment | {"HOME": "/root"},
            stdin=subprocess.DEVNULL,
            check=True,
        )

    def copy(self, sources: Sequence[str], target: str, *, of: Path) -> None:
        """Run a COPY step, which copies files, and the contents of directories."""
        place = self.inside(target)
        place.mkdir(parents=True, exist_ok=True)
        for source in sources:
            origin = of / source.lstrip("/")
            if origin.is_dir():
                unwanted = shutil.ignore_patterns("__pycache__")
                shutil.copytree(origin, place, symlinks=True, dirs_exist_ok=True, ignore=unwanted)
            else:
                shutil.copy2(origin, place)

    def inside(self, path: str) -> Path:
        """Return the path on this machine of a path in the image."""
        return self.root / str(Path(self.workdir) / path).lstrip("/")

    def confined(self, step: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a shell command as in a container of the finished image."""
        place = f"cd {self.workdir}\n{step}"
        return subprocess.run(
            [*CONFINED, str(self.root), self.user, place],
            env=self.environment | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


def instructions(dockerfile: str) -> Iterator[tuple[str, str]]:
    """Return each instruction with its argument, skipping comments and joining continued lines."""
    bare = re.sub(r"^\s*#.*\n", "", dockerfile, flags=re.MULTILINE)
    for line in re.sub(r"\\\n\s*", "", bare).splitlines():
        if line.strip():
            name, _, argument = line.partition(" ")
            yield name, argument.strip()


def build(dockerfile: str, *, base: Path, scratch: Path) -> Stage:
    """Run all steps and return the last stage."""
    stages: dict[str, Stage] = {}
    stage = Stage(base)
    for name, argument in instructions(dockerfile):
        if name == "FROM":
            title = argument.partition(" AS ")[2] or "final"
            print(f"Stage {title} …", flush=True)
            stage = stages[title] = Stage(scratch / title)
            subprocess.run(["cp", "-a", base, stage.root], check=True)
        else:
            follow(stage, name, argument, stages=stages)
    return stage


def follow(stage: Stage, name: str, argument: str, *, stages: Mapping[str, Stage]) -> None:
    """Run one step. An unknown instruction ends the proof."""
    match name:
        case "WORKDIR":
            stage.workdir = argument
            stage.inside(".").mkdir(parents=True, exist_ok=True)
        case "ENV" | "ARG":
            stage.set_environment(argument)
        case "COPY":
            *sources, target = argument.split()
            of = PROJECT
            if sources[0].startswith("--from="):
                of = stages[sources.pop(0).removeprefix("--from=")].root
            stage.copy(sources, target, of=of)
        case "RUN":
            print(f"  {argument[:90]}", flush=True)
            stage.run(argument)
        case "USER":
            stage.user = argument
        case "ENTRYPOINT":
            stage.entrypoint = json.loads(argument)
        case "HEALTHCHECK":
            stage.healthcheck = json.loads(argument.partition("CMD ")[2])
        case "VOLUME" | "STOPSIGNAL":
            pass
        case _:
            sys.exit(f"container-proof: a step this script does not know: {name} {argument}")


def debian(root: Path) -> None:
    """Create the Debian root that replaces the base image."""
    print("Making a Debian root …", flush=True)
    packages = "ca-certificates,python3,python3-venv"
    subprocess.run(
        ["debootstrap", "--variant=minbase", f"--include={packages}", "bookworm", str(root)],
        stdout=subprocess.DEVNULL,
        check=True,
    )
    (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    for host_file in ("etc/resolv.conf", "etc/hosts", "etc/ssl/certs/ca-certificates.crt"):
        shutil.copy(f"/{host_file}", root / host_file)


def prove(image: Stage) -> None:
    """Run the image and check what compose.yaml and operators rely on."""
    bot, health = shlex.join(image.entrypoint), shlex.join(image.healthcheck)
    model = image.confined(f"{bot} models")
    claim("the model is in the image", model.returncode == 0, model)

    tokenless = image.confined(bot)
    said = tokenless.stderr.strip()
    is_clear = "DISCORD_TOKEN" in said and len(said.splitlines()) == 1
    refused = tokenless.returncode == 2 and is_clear
    claim("without a token it ends with 2 and one clear line", refused, tokenless)

    wrote = image.confined("id -u; touch /data/x /tmp/x; rm /data/x")
    claim("its user is plain and may write to /data and /tmp", wrote.stdout == "10001\n", wrote)
    writable = image.confined("find /opt /usr /etc /var -writable ! -type l -print -quit")
    claim("and to nothing else", writable.stdout == "", writable)

    claim("nobody answers: unhealthy", (dead := image.confined(health)).returncode != 0, dead)
    off = image.confined(health, STEMCORD_OPS_ADDRESS="")
    claim("operations server off: healthy", off.returncode == 0, off)
    for status, is_healthy in ((200, True), (503, False)):
        answer = shlex.join(["python", "-c", ANSWER, str(status)])
        asked = image.confined(f"{answer} 2>/dev/null & sleep 1; {health}")
        word = "healthy" if is_healthy else "unhealthy"
        claim(f"{status}: {word}", (asked.returncode == 0) is is_healthy, asked)


def claim(sentence: str, is_true: bool, done: subprocess.CompletedProcess[str]) -> None:
    """Print a claim if it holds; otherwise end the proof."""
    if not is_true:
        sys.exit(f"FAILED  {sentence}: status {done.returncode}\n{done.stdout}{done.stderr}")
    print(f"ok      {sentence}", flush=True)


def main() -> None:
    """Build the image in a scratch directory, check the claims and clean up."""
    if os.geteuid() != 0 or not shutil.which("debootstrap"):
        sys.exit("container-proof: needs root and debootstrap (apt install debootstrap)")
    with tempfile.TemporaryDirectory(prefix="stemcord-proof-") as directory:
        scratch = Path(directory)
        debian(scratch / "debian")
        image = build(
            (PROJECT / "Dockerfile").read_text(), base=scratch / "debian", scratch=scratch
        )
        prove(image)
        sizes = subprocess.run(
            ["du", "-sm", image.root / "opt/venv", image.root / "opt/stemcord"],
            capture_output=True,
            text=True,
            check=True,
        )
        print("MiB on top of the base image:", *sizes.stdout.split()[::2])


if __name__ == "__main__":
    main()
