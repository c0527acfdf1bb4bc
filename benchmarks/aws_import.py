"""What boto3's session costs at a cold start: ``python -m benchmarks.aws_import``.

The import of an AWS cell from a built module (``make build``), in processes of their own, in turn with the same
where boto3's session is a class of nothing: so with botocore alone. CPU seconds of the whole process, of which the
fastest counts: what else the host does only ever adds. More than AT_MOST times as much ends with exit status 1.
"""

import resource
import subprocess
import sys

from flexlocal import build

FAMILY = "servers"
RUNS, AT_MOST = 25, 1.1  # 25 of some 250 ms
IMPORT = "import sys; sys.path[:0] = sys.argv[1:]; import main, modules.servers.aws"
ALONE = f"""
import sys, types
standing_in = sys.modules["shared.providers.aws.boto3_session"] = types.ModuleType("boto3_session")
standing_in.Session = object
{IMPORT}
assert "boto3" not in sys.modules and "botocore.session" in sys.modules
"""


def cpu_seconds(code: str) -> float:
    """Of one process from its start to its end."""
    folder = build.DIST / FAMILY
    command = [sys.executable, "-B", "-I", "-S", "-c", code, str(folder), str(folder / "lib")]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, env={"PATH": ""})  # noqa: S603 - ours
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main() -> int:
    version = "%d%d" % sys.version_info[:2]
    if not list(build.DIST.glob(f"{FAMILY}/lib/boto3/__pycache__/session.cpython-{version}.pyc")):
        print(f"dist/{FAMILY} is not built, or has no byte code for this Python: make build")
        return 1
    runs = [(cpu_seconds(IMPORT), cpu_seconds(ALONE)) for _ in range(RUNS)]
    with_boto3, alone = (min(column) for column in zip(*runs))
    print(f"botocore alone {alone * 1000:.0f} ms, through boto3 {with_boto3 * 1000:.0f} ms")
    print(f"ratio {with_boto3 / alone:.3f}, of {AT_MOST} at most")
    return int(with_boto3 > AT_MOST * alone)


if __name__ == "__main__":
    sys.exit(main())
