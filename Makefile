.PHONY: setup demo test lint bench faults alike healthy mutants stale restarts questions settings firmware clean

setup:
	@scripts/setup.sh

demo: setup
	@.venv/bin/heng demo

test:
	@scripts/setup.sh --with-tests
	@scripts/lint.sh
	@.venv/bin/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

lint: setup
	@scripts/lint.sh

bench: setup
	@for name in ingest edge journal provision storage; do .venv/bin/heng bench $$name || exit 1; done

faults: setup
	@.venv/bin/heng faults --kills 20

alike:
	@scripts/setup.sh --with-tests
	@HENG_ALIKE=1000000 HENG_ALARM_TRACES=100000 HENG_INTERLOCK_TRACES=100000 .venv/bin/python -m pytest -n 2 \
		tests/rules/access/test_alike.py tests/rules/alarm/test_timeline.py tests/rules/interlock/test_properties.py

# RECORDINGS=<folder> plays recordings too that may be used and not shipped.
healthy:
	@scripts/setup.sh --with-tests
	@[ -d "$(RECORDINGS)" ] || echo "RECORDINGS names no folder: only the recordings of tests/data are played"
	@HENG_RECORDED_DAYS=30 HENG_RECORDINGS="$(RECORDINGS)" .venv/bin/python -m pytest -n 2 --dist load -rs \
		tests/rules/interlock/test_recorded.py

# SHARE=<n> tries one change in so many; what was tried stands in build/mutation/report.jsonl and is not tried again.
mutants:
	@scripts/setup.sh --with-tests
	@.venv/bin/python scripts/mutate.py --share $(or $(SHARE),1)

stale:
	@scripts/setup.sh --with-tests
	@HENG_STALE=1 .venv/bin/python -m pytest -n 0 tests/edge/control/test_stale.py

restarts:
	@scripts/setup.sh --with-tests
	@HENG_RESTARTS=1000 .venv/bin/python -m pytest tests/sweep/test_restarts.py -n 2 --dist load

questions:
	@scripts/setup.sh --with-tests
	@HENG_API_QUESTIONS=100 .venv/bin/python -m pytest tests/cloud/api/test_openapi.py tests/security/test_schemathesis.py -n 2

settings:
	@scripts/setup.sh --with-tests
	@HENG_SETTINGS_MUTATIONS=10000 .venv/bin/python -m pytest tests/edge/shadow/test_mutations.py -n 2 --dist load

firmware:
	@scripts/setup.sh --with-tests
	@scripts/firmware-root.sh build/firmware
	@unshare --net sh -c 'ip link set lo up && exec .venv/bin/python -m pytest tests/firmware -s'

clean:
	@rm -rf .venv node_modules build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
