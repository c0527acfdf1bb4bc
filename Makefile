# The two commands: make demo, make test. Both set up .venv first; README.md says what they show.

PYTHON ?= python3
VENV := .venv
PIP := $(VENV)/bin/pip --disable-pip-version-check
# Byte code is made of what is used, at its first use: half the time of an installation.
LOCKED := install -q --no-compile --require-hashes -r
# Without what it requires, built with the setuptools that is installed.
ALONE := install -q --no-compile --no-deps --no-build-isolation
PY := $(VENV)/bin/python
BENCHED := $(VENV)/.test $(VENV)/bench/.done $(VENV)/juju-3/.done
CHECKED := benchmarks flexlocal inventory modules shared tests tools topology web
ACCOUNTS := demo-aws demo-openstack demo-netbox demo-juju demo-osm demo-tapi demo-ietf_l2vpn
LATER := demo-aws demo-openstack
FAMILIES := servers networks volumes appliances circuits vca_status wan_links
DEMO_INVENTORY := dist/demo-inventory.db

.PHONY: audit bench bench-check bench-claims bench-inventory bench-page bench-topology bench-write benchmark build checked coverage demo docs fuzz fuzz-guided mutants test test-cluster test-deploy test-crowd test-faults test-inventory test-inventory-kill test-long test-postgres test-pythons test-schemathesis test-shuffled vendor-test wheels worker lint format test-openstack record-aws record-openstack record-netbox record-simulated record-later expected readme lock sbom sign verify clean

demo: $(VENV)/.demo
	@for account in $(ACCOUNTS); do for family in $(FAMILIES); do \
	  cell=modules/$$family/$${account#demo-}; \
	  test -e $$cell.py || test -e $$cell/__init__.py || continue; \
	  echo; echo "== $$family of $$account"; \
	  $(VENV)/bin/flexlocal run $$family --account $$account --replay || exit 1; \
	done; done
	@echo; if ! $(PY) -c 'import alembic, sqlalchemy' 2>/dev/null; then \
	  echo "== left out, for want of the extra [inventory] (SQLAlchemy, Alembic): all of it in an inventory"; exit; fi; \
	mkdir -p dist; rm -f $(DEMO_INVENTORY) $(DEMO_INVENTORY)-*; export FLEXLOCAL_INVENTORY=$(DEMO_INVENTORY); \
	echo "== all of it, in an inventory"; \
	$(VENV)/bin/flexlocal poll --account 'demo-*' || exit 1; \
	$(VENV)/bin/flexlocal inventory pin "before the changes" || exit 1; \
	echo; echo "== who has 10.13.255.55, and which networks hold it"; \
	$(VENV)/bin/flexlocal inventory search 10.13.255.55 || exit 1; \
	echo; echo "== $(LATER) later, after changes on their servers"; \
	$(VENV)/bin/flexlocal poll $(LATER:%=--account %) --later || exit 1; \
	echo; echo "== what differs of the servers of demo-aws"; \
	$(VENV)/bin/flexlocal inventory diff "before the changes" now --account demo-aws --type server; test $$? -eq 1

# Needs a package index the first time; what it got is kept in dist/.cache.
build: $(VENV)/.demo
	$(VENV)/bin/flexlocal build

test: checked
	$(PY) -m pytest -n auto --dist loadfile --no-loadscope-reorder

# What the tests need is got ready while the code is checked.
checked: $(VENV)/.test
	@$(MAKE) --no-print-directory -j 2 lint wheels $(VENV)/juju-3/.done $(VENV)/juju-29/.done

# All tests again, with the branch coverage of modules/ and shared/ at the end: the ten least covered files, and all
# together. What runs in processes of its own is not counted. It takes half as long again as the tests alone.
coverage: wheels $(VENV)/juju-3/.done $(VENV)/juju-29/.done
	$(PY) -m pytest -n auto --dist loadfile --no-loadscope-reorder --cov --cov-report=
	@$(VENV)/bin/coverage report --sort=cover | sed -n '1,12p; $$p'

# The whole fault matrix, 40 minutes of CPU time: FAULTS="--share 0.1" runs a tenth.
test-faults: $(VENV)/.test
	$(PY) -m tests.faults $(FAULTS)

# A million inputs for everything that reads what arrives: half an hour. FUZZ="--inputs 50000 --seed x --only osm"
# does less.
fuzz: $(VENV)/.test
	$(PY) -m tests.fuzz $(FUZZ)

# One target, guided by coverage, until it is interrupted: TARGET=json INPUTS=100000. Linux, Python 3.11 to 3.13.
fuzz-guided: $(VENV)/.fuzz
	$(PY) -m tests.fuzz.guided "$(TARGET)" $(INPUTS)

# Changes code of [tool.mutmut] in pyproject.toml in many small ways, one at a time, and lists the changes that no test
# of those there notices; .venv/bin/mutmut show NAME shows one. Then the same for the tables of errors and states.
# MUTANTS="shared.engine.gather*" tries one file and no table, TABLES="aws/errors" the tables of some files and no code.
# CHILDREN=1 leaves the host more. Python 3.10 and newer.
CHILDREN ?= 2
mutants: $(VENV)/.mutants
ifeq ($(TABLES),)
	rm -rf mutants
	$(VENV)/bin/mutmut run --max-children $(CHILDREN) $(if $(MUTANTS),"$(MUTANTS)")
	@$(VENV)/bin/mutmut results | grep -v ': not checked' || true
	$(PY) -m tools.mutants functions
endif
ifeq ($(MUTANTS),)
	$(PY) -m tools.mutants tables $(TABLES)
endif

# What make test does in part: 1,000 polls in one process, 1,000 stories of an inventory that changes, 100 hostile
# answers for each handler, each damage to records and responses, and a build from all wheels.
test-long: wheels
	POLLS=1000 EXAMPLES=1000 TRIES=100 EVERY=1 REBUILT=servers $(PY) -m pytest -rP tests/test_customers.py \
	  tests/test_changing_inventory.py tests/test_hostile.py tests/test_grid.py tests/test_build.py

# The tests with servers that answer in any order: what fails depends on one.
test-shuffled: wheels $(VENV)/juju-3/.done $(VENV)/juju-29/.done
	$(PY) -m pytest -p tests.shuffled -n auto --dist loadfile --no-loadscope-reorder

# Each built module on each Python that this host has, with nothing installed beside it.
test-pythons: $(VENV)/.test build
	$(PY) -m pytest -m pythons tests/test_zips.py

# The vendor's own tests (flexer test) of each built module with each provider, against simulators.
vendor-test: $(VENV)/.test build
	@$(PY) -c 'import sys; sys.exit(sys.version_info >= (3, 12))' || \
	  { echo "flexer 1.8.0 needs Python 3.9 to 3.11: make clean; make PYTHON=python3.11 vendor-test" >&2; exit 1; }
	$(PY) -m pytest -v -m 'vendor or not vendor' tests/test_vendor.py

wheels: $(VENV)/.test
	$(PY) -m tools.wheels

lint: $(VENV)/.test
	$(VENV)/bin/ruff check $(CHECKED)
	@found=$$($(VENV)/bin/ruff format --quiet --check $(CHECKED)) || { echo $$found: make format >&2; exit 1; }
	$(VENV)/bin/mypy

format: $(VENV)/.test
	$(VENV)/bin/ruff format $(CHECKED)

# Needs a running OpenStack: LAB is a folder with its clouds.yaml, such as a lab's that was started with
#   MAX_LIMIT=5 NEUTRON_MAX_LIMIT=5 ./up.sh        pages of 5, so that every listing has several
#   seed.py --servers 22 --networks 8 --volumes 16 --routers 6 --lbs 6
# Larger pages, more objects and others do no harm; with fewer than 6 of a kind in a project, or with a page limit
# above that, less is compared. tools/demo_openstack.py adds what such a seed lacks.
test-openstack: $(VENV)/.lab build
	@test -e "$(LAB)/clouds.yaml" || { echo "LAB should be a folder with the clouds.yaml of a running OpenStack" >&2; exit 1; }
	LAB="$(LAB)" $(PY) -m pytest -m lab tests/lab

# Ratios of timings, which are no tests.
benchmark: $(VENV)/.demo build
	$(PY) -m benchmarks.wan_plan
	$(PY) -m benchmarks.aws_import

# Ours beside other clients, against stand-ins of the providers: some minutes. BENCH="--only aws-*" runs less;
# bench-write writes docs/reference/speed.md and the ratios that bench-check compares with.
bench: build $(BENCHED)
	$(PY) -m benchmarks.speed $(BENCH)

bench-check: build $(BENCHED)
	$(PY) -m benchmarks.speed --check $(BENCH)

bench-write: build $(BENCHED)
	$(PY) -m benchmarks.speed --write $(BENCH)

# Loads an inventory with RESOURCES invented resources of 2 kB, stores polls, and asks; several numbers are steps, each a
# column of the table: RESOURCES="20000 100000 1000000" takes half an hour of CPU, 4 GB of memory, and 5 GB in the folder for
# temporary files.
RESOURCES ?= 20000
bench-inventory: $(VENV)/.test
	$(PY) -m benchmarks.inventory --steps $(RESOURCES)

# The graph of an inventory with 100,000 resources: loads it, and asks for impacts, paths and causes.
bench-topology: $(VENV)/.test
	$(PY) -m benchmarks.topology

# What a reader of the page waits for, in a headless Chromium: the topology drawn, and a search of RESOURCES resources.
# A million take some minutes, 4 GB of memory, and 5 GB in the folder for temporary files.
bench-page: $(VENV)/.test
	$(PY) -m benchmarks.page --resources $(RESOURCES)

# Takes the docs' pictures of the page anew, of the demo accounts, in a headless Chromium.
pictures: $(VENV)/.test
	$(PY) -m tools.pictures

# Claims and stores of polls a second by several workers, beside bare SKIP LOCKED: BENCH="--polls 8000" does more.
bench-claims: $(VENV)/.postgresql
	$(PY) -m benchmarks.claims $(BENCH)

# What make test does in part: SIGKILL before every statement of a poll, and 1,000 stories of polls and of claims.
test-inventory: $(VENV)/.test
	STEP=1 EXAMPLES=1000 $(PY) -m pytest tests/test_inventory_killed.py tests/test_inventory_history.py tests/test_inventory_due.py

# SIGKILL at 50 random moments of storing 10,000 resources. KILLED="--kills 5 --resources 1000" does less, and
# KILLED="--seed 7" repeats the moments.
test-inventory-kill: $(VENV)/.test
	$(PY) -m tests.killed $(KILLED)

# Schemathesis asks a running service whatever its description allows, CASES times each operation, for reading and for
# writing. Python 3.10 and newer.
CASES ?= 100
test-schemathesis: $(VENV)/.test $(VENV)/schemathesis/.done
	$(PY) -m tests.schemathesis $(VENV)/schemathesis/bin/schemathesis $(CASES)

# 100 clients that list 10,000 resources at once, each all pages: none fails. Python 3.10 and newer.
test-crowd: $(VENV)/.test
	$(PY) -m tests.crowd

# The tests of inventories in PostgreSQL: a server of its own, from Debian's package postgresql, on a free port.
test-postgres: $(VENV)/.postgresql
	$(PY) -m tests.postgresql $(PY) -m pytest -m "not lab" tests/test_inventory*.py tests/test_cost.py tests/test_worker_metrics.py tests/test_worker_ops.py

# Workers on PostgreSQL, with RabbitMQ, Redis and no broker, that are killed, paused and cut off: servers of their own, from
# Debian's packages postgresql, rabbitmq-server, redis-server, pgbouncer and faketime.
test-cluster: $(VENV)/.postgresql
	$(PY) -m pytest -m cluster tests/cluster -n 3 --dist loadgroup

# What a host, or an image, has that runs flexlocal worker: no tests, no tools.
worker: $(VENV)/.worker

# The files of deploy/ against Kubernetes' schemas and systemd's own check.
test-deploy: $(VENV)/.deploy
	$(PY) -m pytest -m "deploy or not deploy" tests/test_deploy.py

# Records the demo accounts' cassettes anew: AWS from moto's server, OpenStack from the services at
# the auth_url in cassettes/accounts.yaml, NetBox from the answers of a real one in the folder RECORDINGS, and
# the rest from a simulator each. One cell or handler alone: see docs/develop/recording.md.
record-aws: $(VENV)/.test
	$(PY) -m tools.record aws

record-openstack: $(VENV)/.lab
	$(PY) -m tools.record openstack

record-netbox: $(VENV)/.test
	$(PY) -m tools.record netbox --recordings "$(RECORDINGS)"

# Records the second point in time: the same account after changes. That of OpenStack: docs/develop/recording.md.
record-later: $(VENV)/.test
	$(PY) -m tools.record aws --later

record-simulated: $(VENV)/.test
	$(PY) -m tools.record juju
	$(PY) -m tools.record osm
	$(PY) -m tools.record tapi
	$(PY) -m tools.record ietf_l2vpn

# Writes the golden files from the cassettes. Read the diff: it is what the platform will see change.
expected: $(VENV)/.test
	$(PY) -m tools.expected

# Writes the generated parts of the README and of docs/reference.
readme: $(VENV)/.test build
	$(PY) -m tools.reference
	$(PY) -m tools.reference builds

# Renders docs/ into dist/site; a broken link is an error.
docs: $(VENV)/.docs
	$(VENV)/bin/zensical build --strict

# What each zip carries, as CycloneDX: dist/<family>.cdx.json, validated against its schema.
sbom: build $(VENV)/audit/.done
	$(PY) -m tools.sbom
	$(VENV)/audit/bin/python tools/validate_sbom.py dist/*.cdx.json

# Asks the package index which locked versions have known vulnerabilities; AUDIT="--vulnerability-service osv" asks
# another service. What the service does not know fails too: nothing counts as audited that was not.
audit: sbom
	$(VENV)/audit/bin/pip-audit --strict --progress-spinner off --require-hashes --disable-pip $(AUDIT) \
	  -r requirements.lock -r requirements/nflex.lock || \
	  { echo "audit: vulnerabilities were found, or not everything could be audited: see above" >&2; exit 1; }

# Writes dist/SHA256SUMS of the zips and SBOMs, and its signature by the SSH key in the file KEY.
sign: sbom
	$(PY) -m tools.sign "$(KEY)"

# Whether one of the keys in the file SIGNERS signed what lies in dist/: see docs/operate/upload.md.
verify: $(VENV)/.demo
	$(PY) -m tools.sign --verify "$(SIGNERS)"

# Writes all lock files anew: newest versions of what requirements.txt and requirements/*.txt name.
lock: $(VENV)/.test
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(PY) -m tools.lock

clean:
	rm -rf $(VENV) dist mutants .coverage .coverage.* .hypothesis .pytest_cache .ruff_cache .mypy_cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 9) <= sys.version_info < (3, 14))' || \
	  { echo "Python 3.9 to 3.13 is needed; choose one with: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "$(PYTHON) can't make virtual environments; on Debian: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# Everything is installed from lock files, with hashes (make lock). nflex-connector-utils is installed without its
# declared requirements, of which it uses only those in requirements.txt, and with what its set-up script needs on
# Python 3.12 and newer.
$(VENV)/.demo: requirements/flexlocal.lock requirements/nflex.lock pyproject.toml tools/nflex_setup/undeclare.py | $(VENV)/bin/python
	$(PIP) $(LOCKED) requirements/flexlocal.lock
	PYTHONPATH="$(CURDIR)/tools/nflex_setup" $(PIP) $(ALONE) --require-hashes -r requirements/nflex.lock
	$(PY) tools/nflex_setup/undeclare.py nflex-connector-utils
	$(PIP) $(ALONE) -e .
	touch $@

# The vendor's command line is installed without its requirements too: see requirements/flexer.txt.
$(VENV)/.test: $(VENV)/.demo requirements/test.lock requirements/flexer.lock
	$(PIP) $(LOCKED) requirements/test.lock
	$(PIP) $(ALONE) --require-hashes -r requirements/flexer.lock
	$(PY) tools/nflex_setup/undeclare.py flexer
	touch $@

$(VENV)/.lab: $(VENV)/.test requirements/lab.lock
	$(PIP) $(LOCKED) requirements/lab.lock
	touch $@

$(VENV)/.postgresql: $(VENV)/.test requirements/postgresql.lock
	$(PIP) $(LOCKED) requirements/postgresql.lock
	touch $@

$(VENV)/.worker: $(VENV)/.demo requirements/cluster.lock
	$(PIP) $(LOCKED) requirements/cluster.lock
	touch $@

$(VENV)/.deploy: $(VENV)/.test requirements/deploy.lock
	$(PIP) $(LOCKED) requirements/deploy.lock
	touch $@

$(VENV)/.fuzz: $(VENV)/.test requirements/fuzz.lock
	$(PIP) $(LOCKED) requirements/fuzz.lock
	touch $@

$(VENV)/.mutants: $(VENV)/.test requirements/mutants.lock
	$(PIP) $(LOCKED) requirements/mutants.lock
	touch $@

$(VENV)/.docs: $(VENV)/.test requirements/docs.lock
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "make docs needs Python 3.11 to 3.13: make clean; make PYTHON=python3.12 docs" >&2; exit 1; }
	$(PIP) $(LOCKED) requirements/docs.lock
	touch $@

# What make bench compares with.
$(VENV)/bench/.done: requirements/bench.lock | $(VENV)/bin/python
	$(PY) -m venv --clear $(@D)
	$(@D)/bin/pip --disable-pip-version-check $(LOCKED) $<
	touch $@

# What make test-schemathesis uses.
$(VENV)/schemathesis/.done: requirements/schemathesis.lock | $(VENV)/bin/python
	$(PY) -m venv --clear $(@D)
	$(@D)/bin/pip --disable-pip-version-check $(LOCKED) $<
	touch $@

# What make audit and make sbom use.
$(VENV)/audit/.done: requirements/audit.lock | $(VENV)/bin/python
	$(PY) -m venv --clear $(@D)
	$(@D)/bin/pip --disable-pip-version-check $(LOCKED) $<
	touch $@

# Juju's own client, newest and of 2.9's time, each in an environment of its own: they can't be
# installed together. tests/test_juju_official.py compares ours with them.
$(VENV)/juju-%/.done: requirements/juju-%.lock | $(VENV)/bin/python
	$(PY) -m venv --clear $(@D)
	$(@D)/bin/pip --disable-pip-version-check $(LOCKED) $<
	touch $@
