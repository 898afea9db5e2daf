"""Which build of torch fits which machine, down to pip's command."""

from __future__ import annotations

import pytest
from qgis.core import QgsProcessingException
from qgis.PyQt.QtNetwork import QNetworkProxy

INDEX = "https://download.pytorch.org/whl/"


def report(system="Linux", architecture="x86_64", python="3.11.2", *, driver=None, capabilities=(), **changes):
    """What the verb ``environment`` tells of a machine."""
    machine = {
        "system": system,
        "architecture": architecture,
        "libc": changes.get("libc", "glibc 2.36" if system == "Linux" else None),
        "driver": driver,
        "gpus": [{"name": f"GPU {c}", "capability": c} for c in capabilities],
    }
    implementation, bits = changes.get("implementation", "CPython"), changes.get("bits", 64)
    return {
        "machine": machine,
        "python": {"version": python, "implementation": implementation, "bits": bits},
        "packages": [{"name": "numpy", "version": changes.get("numpy", "1.24.2")}, {"name": "pip", "version": "23"}],
    }


@pytest.fixture
def builds(qgis_app):
    from bdgf_qgis.installing import builds

    return builds


@pytest.fixture
def pip(qgis_app):
    from bdgf_qgis.installing import pip

    return pip


WINDOWS, ARM_MAC = ("Windows", "AMD64", "3.12.3"), ("Darwin", "arm64", "3.12.3")


@pytest.mark.parametrize(
    ("machine", "gpu", "torch", "index"),
    [
        (("Linux",), {}, "2.13.0+cpu", "cpu"),
        (("Linux", "aarch64"), {}, "2.13.0+cpu", "cpu"),
        (("Linux", "x86_64", "3.9.5"), {}, "2.8.0+cpu", "cpu"),
        (("Linux", "x86_64", "3.14.0"), {}, "2.13.0+cpu", "cpu"),
        (("Linux",), {"driver": "580.65.06", "capabilities": (8.6,)}, "2.13.0+cu130", "cu130"),
        (("Linux",), {"driver": "580.65.06", "capabilities": (12.0,)}, "2.13.0+cu130", "cu130"),
        (("Linux",), {"driver": "535.183.01", "capabilities": (8.6,)}, "2.13.0+cu126", "cu126"),
        (("Linux",), {"driver": "580.65.06", "capabilities": (6.1,)}, "2.13.0+cu126", "cu126"),  # Pascal
        (("Linux",), {"driver": "580.65.06", "capabilities": (3.5, 8.6)}, "2.13.0+cu130", "cu130"),
        (("Linux",), {"driver": "525.60.13", "capabilities": (None,)}, "2.13.0+cu126", "cu126"),
        (("Linux",), {"driver": "470.82", "capabilities": (8.6,)}, "2.13.0+cpu", "cpu"),
        (("Linux",), {"driver": "570.1", "capabilities": (12.0,)}, "2.13.0+cpu", "cpu"),  # Blackwell wants CUDA 13
        (("Linux",), {"driver": "580.1", "capabilities": (3.5,)}, "2.13.0+cpu", "cpu"),  # Kepler
        (("Linux", "x86_64", "3.9.5"), {"driver": "580.1", "capabilities": (8.6,)}, "2.8.0+cu128", "cu128"),
        (WINDOWS, {}, "2.13.0", None),
        (("Windows", "AMD64", "3.9.18"), {}, "2.8.0", None),
        (WINDOWS, {"driver": "581.15", "capabilities": (8.9,)}, "2.13.0+cu130", "cu130"),
        (WINDOWS, {"driver": "551.86", "capabilities": (7.5,)}, "2.13.0+cu126", "cu126"),
        (ARM_MAC, {}, "2.13.0", None),
    ],
)
def test_the_build_for_a_machine(builds, machine, gpu, torch, index):
    build = builds.choose(report(*machine, **gpu), "auto")
    assert (build.torch, build.index) == (torch, index and INDEX + index)
    assert build.cuda == ("cu1" in torch) and build.megabytes == (9300 if build.cuda else 1900) and build.reason


def test_a_gpu_without_a_build_is_not_blamed_on_the_driver(builds):
    old = builds.choose(report("Linux", driver="580.1", capabilities=(3.5,)), "auto").reason
    assert "no build" in old and "update the driver" not in old
    assert "update the driver" in builds.choose(report("Linux", driver="570.1", capabilities=(12.0,)), "auto").reason


def test_what_is_asked_for_is_taken_or_refused(builds):
    gpu = report(driver="580.65.06", capabilities=(8.6,))
    assert builds.choose(gpu, "cpu").torch == "2.13.0+cpu" and builds.choose(gpu, "cuda").torch == "2.13.0+cu130"
    for machine, sentence in (
        (report(), "no NVIDIA driver was found; choose auto or cpu"),
        (report(driver="470.82", capabilities=(8.6,)), "470.82 is too old for GPU 8.6"),
        (report(*ARM_MAC), "no CUDA on macOS"),
    ):
        with pytest.raises(QgsProcessingException, match=sentence):
            builds.choose(machine, "cuda")


@pytest.mark.parametrize(
    ("machine", "sentence"),
    [
        (report("Darwin", "x86_64", "3.12.3"), "Intel Macs.*conda-forge"),
        (report("Windows", "ARM64", "3.12.3"), "Windows on ARM64"),
        (report("Windows", "AMD64", "3.9.5", bits=32), "32 bits"),
        (report("Linux", "riscv64"), "riscv64"),
        (report(libc=None), "glibc 2.28 or newer, and this system has another C library"),
        (report(libc="glibc 2.17"), "this system has glibc 2.17"),
        (report(python="3.8.10"), "CPython 3.8.10.*3.9 to 3.14"),
        (report(python="3.15.0"), "CPython 3.15.0"),
        (report(implementation="PyPy"), "PyPy"),
        (report("FreeBSD", "amd64", libc=None), "FreeBSD"),
    ],
)
def test_machines_without_packages_are_told_what_to_do(builds, machine, sentence):
    with pytest.raises(QgsProcessingException, match=sentence):
        builds.choose(machine, "auto")


COMMON = (
    "install --target /p/a1b2.new --constraint /p/c.txt --only-binary=:all: --no-cache-dir --no-compile "
    "--no-warn-script-location --progress-bar=off"
)


@pytest.mark.parametrize(
    ("machine", "gpu", "rest"),
    [
        (("Linux",), {}, f"--extra-index-url {INDEX}cpu torch==2.13.0+cpu einops safetensors scikit-learn"),
        (
            ("Linux",),
            {"driver": "580.65.06", "capabilities": (8.6,)},
            f"--extra-index-url {INDEX}cu130 torch==2.13.0+cu130 einops safetensors scikit-learn",
        ),
        (WINDOWS, {}, "torch==2.13.0 einops safetensors scikit-learn"),
        (
            WINDOWS,
            {"driver": "551.86", "capabilities": (8.6,)},
            f"--extra-index-url {INDEX}cu126 torch==2.13.0+cu126 einops safetensors scikit-learn",
        ),
        (ARM_MAC, {}, "torch==2.13.0 einops safetensors scikit-learn"),
    ],
)
def test_the_command_of_pip(builds, pip, machine, gpu, rest):
    build = builds.choose(report(*machine, **gpu), "auto")
    assert (
        " ".join(pip.arguments(build, target="/p/a1b2.new", constraints="/p/c.txt", wheels=None)) == f"{COMMON} {rest}"
    )


def test_the_command_for_a_wheel_folder(builds, pip, tmp_path):
    build = builds.choose(report(), "auto")
    wheels = tmp_path / "Räder [1]"
    wheels.mkdir()

    def torch():
        arguments = pip.arguments(build, target="/p", constraints="/c", wheels=str(wheels))
        at = arguments.index("--no-index")
        assert arguments[at : at + 3] == ["--no-index", "--find-links", str(wheels)]
        assert "--extra-index-url" not in arguments
        return next(text for text in arguments if text.startswith("torch="))

    assert torch() == "torch==2.13.0"  # whatever build of it lies there
    (wheels / "torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl").touch()
    (wheels / "torch-2.13.0+cu130-cp311-cp311-manylinux_2_28_x86_64.whl").touch()
    assert torch() == "torch==2.13.0+cpu"


def test_versions_are_locked_and_numpy_is_kept(builds, pip):
    build = builds.choose(report(numpy="2.2.4"), "auto")
    lines = pip.constraints(report(numpy="2.2.4"), build, wheels=None).splitlines()
    assert lines[0] == "torch==2.13.0" and lines[-1] == "numpy==2.2.4" and "sympy==1.14.0" in lines
    assert all("==" in line for line in lines)
    assert pip.constraints(report(), build, wheels="/w").splitlines() == ["torch==2.13.0", "numpy==1.24.2"]


def test_settings_that_would_lead_pip_astray_are_left_out(pip):
    given = {
        "PIP_TARGET": "/usr/lib", "PIP_USER": "1", "PIP_PREFIX": "/usr", "PIP_NO_DEPS": "1", "PIP_CONSTRAINT": "x",
        "PIP_INDEX_URL": "https://mirror.example/simple", "PIP_CERT": "/ca.pem", "PYTHONPATH": "/e", "PATH": "/bin",
    }  # fmt: skip
    left = pip.environment(given, {"HTTPS_PROXY": "http://proxy:1"})
    assert left["PIP_INDEX_URL"] == given["PIP_INDEX_URL"] and left["PIP_CERT"] == "/ca.pem" and left["PATH"] == "/bin"
    assert left["PIP_USER"] == "0" and left["HTTPS_PROXY"] == "http://proxy:1"
    assert not {"PIP_TARGET", "PIP_PREFIX", "PIP_NO_DEPS", "PIP_CONSTRAINT", "PYTHONPATH"} & set(left)


def test_the_proxy_of_qgis_becomes_one_of_pip(pip):
    kinds = QNetworkProxy.ProxyType
    proxy = QNetworkProxy(kinds.HttpProxy, "proxy.amt.example", 3128, "max", "a:b@c/ü")
    variables = pip.proxy_variables(proxy, ["https://intern.example/x", "localhost"])
    assert variables["HTTPS_PROXY"] == "http://max:a%3Ab%40c%2F%C3%BC@proxy.amt.example:3128"
    assert variables["NO_PROXY"] == "intern.example,localhost" and variables["http_proxy"] == variables["HTTP_PROXY"]
    socks = pip.proxy_variables(QNetworkProxy(kinds.Socks5Proxy, "s", 1080), [])
    assert socks["HTTPS_PROXY"] == "socks5h://s:1080"
    for none in (QNetworkProxy(kinds.NoProxy), QNetworkProxy(kinds.DefaultProxy), QNetworkProxy(kinds.HttpProxy, "")):
        assert pip.proxy_variables(none, []) == {}


FAILED = "ERROR: Could not install packages due to an OSError: "
SAID = {
    "pip cannot use the SOCKS": FAILED + "Missing dependencies for SOCKS support.",
    "The proxy refused": "Retrying after connection broken by 'ProxyError('Cannot connect to proxy.', OSError('Tunnel "
    "connection failed: 407 Proxy Authentication Required'))'\nERROR: No matching distribution found for torch",
    "trusted \\(TLS\\)": "Caused by SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] self signed",
    "disk became full": FAILED + "[Errno 28] No space left on device",
    "index cannot be reached": "Retrying after connection broken by 'NewConnectionError('<urllib3>: Failed to "
    "establish a new connection: [Errno -3] Temporary failure in name resolution')'\nERROR: Could not find a version",
    "numpy than QGIS's own": "torch 2.13.0 depends on numpy\nERROR: ResolutionImpossible: for help visit https://pip.pypa.io/",
    "is damaged": "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.",
    "managed by the system": "error: externally-managed-environment",
    "260 characters": FAILED + "[Errno 2] No such file. HINT: This error might have occurred since this system does "
    "not have Windows Long Path support enabled.",
    "want of permission": FAILED + "[WinError 5] Access is denied: 'C:\\\\x'",
    "Visual C\\+\\+ runtime": "torch does not load (OSError: [WinError 126] The specified module could not be found. "
    'Error loading "C:\\x\\torch\\lib\\c10.dll" or one of its dependencies.)',
}


@pytest.mark.parametrize("sentence", SAID)
def test_known_failures_become_a_sentence_with_a_mend(qgis_app, sentence):
    import re

    from bdgf_qgis.installing import failures

    found = failures.sentence(SAID[sentence])
    assert re.search(sentence, found) and found.endswith(".")


def test_unknown_failures_are_not_guessed(qgis_app):
    from bdgf_qgis.installing import failures

    assert failures.sentence("ValueError: nobody knows") == ""
    assert failures.is_no_wheel("ERROR: No matching distribution found for torch==2.13.0")
