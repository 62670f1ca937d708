"""What the numbers were made with."""

import os
import platform
from importlib.metadata import version

import torch

PACKAGES = ("fivefold", "numpy", "scikit-learn", "dp-accounting", "safetensors")


def environment() -> dict[str, str]:
    """Return versions, threads, machine and load, by name."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        **{name: version(name) for name in PACKAGES},
        "system": platform.platform(),
        "processor": _processor(),
        "threads": str(torch.get_num_threads()),
        "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "not set"),
        "load average": f"{os.getloadavg()[0]:.2f} on {os.cpu_count()} cores",
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123 - not a file to resolve
            names = [
                line.partition(":")[2].strip() for line in file if line.startswith("model name")
            ]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or "unknown"
