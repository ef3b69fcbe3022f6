# Sets up .venv by itself. Needs Python 3.10 to 3.12 (with venv and headers) and a C++ compiler, which `make` checks.
# PYTHON=/path/to/python chooses the interpreter; DSFLASH_WITHOUT_ROS=1 leaves ROS 2 out (no messages, no node).

VENV := .venv
INSTALLED := $(VENV)/.installed
PYTEST := $(VENV)/bin/python -m pytest
APART := test/ros test/bench test/fleet test/toyroom
BUILD_INPUTS := setup.py pyproject.toml package.xml CMakeLists.txt $(wildcard cmake/*.cmake cmake/*/* action/*.action msg/*.msg srv/*.srv)

# A sourced ROS 2 or an active environment must not mix with .venv.
unexport AMENT_PREFIX_PATH CMAKE_PREFIX_PATH COLCON_PREFIX_PATH LD_LIBRARY_PATH PYTHONHOME PYTHONPATH RMW_IMPLEMENTATION
unexport ROS_DISTRO ROS_PYTHON_VERSION ROS_VERSION VIRTUAL_ENV _ROS_WHEELS_BOOTSTRAP_COMPLETE

FITS := import os, sys, sysconfig, ensurepip, venv; \
  sys.exit(not ((3, 10) <= sys.version_info < (3, 13) and os.path.exists(sysconfig.get_path("include") + "/Python.h")))

.PHONY: help demo agent test test-slow lint clean

help:  ## show this
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/'

demo: $(INSTALLED)  ## camera, node and planner as three processes: SOURCE=video, folder or bag (default: a drive)
	$(VENV)/bin/python examples/demo.py $(if $(SOURCE),'$(SOURCE)')

agent: $(INSTALLED)  ## a robot solves a task by its scene graphs: GOAL='all bottles on the couch' SEED=7 TRUTH=1
	$(VENV)/bin/python examples/agent/play.py $(if $(GOAL),'$(GOAL)') $(if $(SEED),--seed $(SEED)) $(if $(TRUTH),--truth)

test: lint  ## lint, then all tests but the slow ones
	$(PYTEST) -m 'not slow' -n 2 --dist loadfile $(foreach folder,$(APART),--ignore $(folder))
	$(PYTEST) -m 'not slow' -n 3 --dist loadfile test/ros test/bench  # they wait more than they compute
	$(PYTEST) -n 2 --dist loadfile test/toyroom  # apart: these tests render, and refuse to import torch

test-slow: $(INSTALLED)  ## the slow tests: code blocks of the docs, replays, fleets, large models
	$(PYTEST) -m slow -n 2 --dist loadfile $(foreach folder,$(APART),--ignore $(folder))
	$(PYTEST) -m slow -n 2 --dist loadfile test/ros
	$(PYTEST) -m slow test/bench  # apart: these tests keep all cores busy
	$(PYTEST) test/fleet  # these tests share a Ray

lint: $(INSTALLED)  ## ruff: errors and formatting
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check

clean:  ## remove .venv and all that was built; results in out/ stay
	rm -rf $(VENV) build dsflash_ros.egg-info dsflash_ros/action dsflash_ros/msg dsflash_ros/srv dsflash_ros/*.so
	rm -rf .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): $(VENV)/bin/pip $(BUILD_INPUTS)
	@if ! command -v c++ g++ clang++ >/dev/null; then \
	  echo "No C++ compiler found: install one (Debian and Ubuntu: apt install g++)" >&2; exit 1; \
	fi
	@echo "Installing into $(VENV); the first time takes some minutes"
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --use-pep517 --editable '.[test]'
	# it would bring opencv-python, which takes the place of opencv-python-headless
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps trackeval
	@touch $@

$(VENV)/bin/pip:
	@for python in $(or $(PYTHON),python3 python3.12 python3.11 python3.10); do \
	  if $$python -c '$(FITS)' 2>/dev/null; then $$python -m venv --clear $(VENV); exit; fi; \
	done; \
	echo "$(if $(PYTHON),$(PYTHON) does not fit,No Python found that fits): install Python 3.10, 3.11 or 3.12 with its venv" \
	  "module and headers (Debian and Ubuntu: apt install python3-venv python3-dev), or name one: make PYTHON=..." >&2; \
	exit 1
