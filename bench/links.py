"""Hosts on this machine: network namespaces, each with a link of a limited rate to one switch.

Nothing outside is changed: the program runs in new user and network namespaces, and makes all others inside them. They
end with their processes.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

INSIDE = "IN_OWN_NETWORK"
LAUNCHER = Path(__file__).with_name("run_on_host.sh")
SWITCH = "10.77.0.254"


def enter_own_network() -> None:
    """Start this program again in a new network namespace, unless it is there."""
    if INSIDE not in os.environ:
        command = ["unshare", "--user", "--map-root-user", "--net", sys.executable, *sys.argv]
        os.execvpe(command[0], command, {**os.environ, INSIDE: "1"})
    run("ip link set lo up")


@contextmanager
def hosts(count: int, rate: str) -> Iterator[list[str]]:
    """Make `count` hosts; return the arguments of mpiexec that put one rank on each.

    `rate` is that of tc, such as "rate 100mbit burst 64kb". It limits each direction of each link.
    """
    with ExitStack() as stack:
        run(f"ip link add name switch type bridge; ip addr add {SWITCH}/24 dev switch; ip link set switch up")
        stack.callback(run, "ip link delete switch")
        processes = []
        for host in range(1, count + 1):
            process = stack.enter_context(namespace())
            processes.append(str(process.pid))
            limit = f"root tbf {rate} limit 16mb"
            run(f"ip link add name port{host} type veth peer name eth0 netns {process.pid}")
            run(f"ip link set port{host} master switch up; tc qdisc add dev port{host} {limit}")
            inside = f"ip addr add 10.77.0.{host}/24 dev eth0; ip link set eth0 up; tc qdisc add dev eth0 {limit}"
            run(f"nsenter --target {process.pid} --net sh -ec 'ip link set lo up; {inside}'")
        os.environ["HOST_PROCESSES"] = " ".join(processes)
        names = ",".join(f"10.77.0.{host}" for host in range(1, count + 1))
        yield ["-launcher", "ssh", "-launcher-exec", str(LAUNCHER), "-iface", "switch", "-hosts", names]


@contextmanager
def namespace() -> Iterator["subprocess.Popen[bytes]"]:
    """Hold a network namespace open; it ends with its process, and the links in it."""
    own = os.readlink("/proc/self/ns/net")
    with subprocess.Popen(["unshare", "--net", "sleep", "infinity"]) as process:
        while os.readlink(f"/proc/{process.pid}/ns/net") == own:
            time.sleep(0.01)
        try:
            yield process
        finally:
            process.kill()


def run(command: str) -> None:
    subprocess.run(["sh", "-ec", command], check=True)


ON_LINKS = {
    "MPIR_CVAR_NOLOCAL": "1",  # no shared memory between ranks
    "MPIR_CVAR_CH4_NETMOD": "ofi",
    "FI_PROVIDER": "tcp",
    "FI_TCP_IFACE": "eth0",
}
"""The settings with which MPICH sends everything over TCP and the links."""
