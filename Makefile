# The two commands: make demo, make test. Both set up .venv first; README.md says what they show.

PYTHON ?= python3
VENV := .venv
PIP := $(VENV)/bin/pip --disable-pip-version-check
PY := $(VENV)/bin/python
CHECKED := flexlocal modules shared tests tools
NFLEX := nflex-connector-utils==0.2.0
ACCOUNTS := demo-aws demo-openstack demo-netbox
FAMILIES := servers networks volumes circuits appliances

.PHONY: demo test lint test-openstack record-aws record-openstack record-netbox expected readme clean

demo: $(VENV)/.demo
	@for account in $(ACCOUNTS); do for family in $(FAMILIES); do \
	  test -f modules/$$family/$${account#demo-}.py || continue; \
	  echo; echo "== $$family of $$account"; \
	  $(VENV)/bin/flexlocal run $$family --account $$account --replay || exit 1; \
	done; done

test: lint
	$(PY) -m pytest

lint: $(VENV)/.test
	$(VENV)/bin/ruff check $(CHECKED)
	$(VENV)/bin/ruff format --check $(CHECKED)
	$(VENV)/bin/mypy

# Needs a running OpenStack: LAB is a folder with its clouds.yaml (tests/lab/ says what it must have).
test-openstack: $(VENV)/.lab
	$(PY) -m pytest -m lab tests/lab

# Records the demo accounts' cassettes anew: AWS from moto's server, OpenStack from the services at
# the auth_url in cassettes/accounts.yaml, NetBox from the answers of a real one in the folder RECORDINGS.
record-aws: $(VENV)/.test
	$(PY) -m tools.record aws

record-openstack: $(VENV)/.lab
	$(PY) -m tools.record openstack

record-netbox: $(VENV)/.test
	$(PY) -m tools.record netbox "$(RECORDINGS)"

# Writes the golden files from the cassettes. Read the diff: it is what the platform will see change.
expected: $(VENV)/.test
	$(PY) -m tools.expected

readme: $(VENV)/.test
	$(PY) -m tools.cells_table

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 9) <= sys.version_info < (3, 14))' || \
	  { echo "Python 3.9 to 3.13 is needed; choose one with: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "$(PYTHON) can't make virtual environments; on Debian: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# nflex-connector-utils is installed without its declared requirements, of which it uses only those in
# requirements.txt, and with what its set-up script needs on Python 3.12 and newer.
$(VENV)/.demo: requirements.txt requirements-flexlocal.txt pyproject.toml | $(VENV)/bin/python
	$(PIP) install -q -r requirements-flexlocal.txt
	PYTHONPATH="$(CURDIR)/tools/nflex_setup" $(PIP) install -q --no-deps --no-build-isolation $(NFLEX)
	$(PIP) install -q --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.test: $(VENV)/.demo requirements-test.txt
	$(PIP) install -q -r requirements-test.txt
	touch $@

$(VENV)/.lab: $(VENV)/.test requirements-lab.txt
	$(PIP) install -q -r requirements-lab.txt
	touch $@
