# chat_v11: PGXS build.  `make check` and `make demo` do everything, also installing what is missing on Debian.
PG_CONFIG ?= pg_config

# PGXS has a `check` of its own, which only says that there is none; so this goal is met without PGXS.
ifeq ($(MAKECMDGOALS),check)
.PHONY: check
# Everything that is quick, also what is missing on the machine.
check:
	@test/check.sh
else

EXTENSION  = chat_v11
EXTVERSION = $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" chat_v11.control)
MODULE_big = chat_v11
SOURCES    = $(wildcard src/core/*.cpp src/pg/*.cpp src/functions/*.cpp src/*.cpp)
OBJS       = $(SOURCES:.cpp=.o)
SQL_FULL   = build/sql/chat_v11--$(EXTVERSION).sql
DATA       = $(wildcard sql/updates/chat_v11--*--*.sql) $(filter-out sql/releases/chat_v11--$(EXTVERSION).sql,$(wildcard sql/releases/chat_v11--*.sql))
DATA_built = $(SQL_FULL)

REGRESS        = $(shell cat sql/schedule)
ISOLATION      = $(basename $(notdir $(wildcard test/isolation/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test/isolation --outputdir=output_iso

# -isystem keeps our warnings off PostgreSQL's headers; -MMD because Debian builds PostgreSQL without --enable-depend.
PG_CPPFLAGS = -Isrc -isystem $(shell $(PG_CONFIG) --includedir-server) -MMD -MP
PG_CXXFLAGS = -std=c++20 -Wall -Wextra -Wshadow -Wno-register -Werror $(EXTRA_CXXFLAGS)
# The version script: PostgreSQL loads libraries with RTLD_GLOBAL, so an exported C++ symbol can be bound to another
# extension's.
SHLIB_LINK += -lstdc++ -Wl,--version-script=chat_v11.map $(EXTRA_LDFLAGS)
EXTRA_CLEAN = $(OBJS:.o=.d) output_iso build

# The JIT gains nothing from our bitcode, and clang-14 cannot compile all the C++20 that g++-12 can.
override with_llvm = no

PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

chat_v11.so: chat_v11.map
# What the library says it is; preflight() compares it with what is installed.
src/pg/version.o: override CPPFLAGS += -DCHAT_V11_VERSION='"$(EXTVERSION)"'
src/pg/version.o: chat_v11.control
-include $(OBJS:.o=.d)

# The script of the present version is assembled from its modules.
$(SQL_FULL): $(sort $(wildcard sql/install/*.sql))
	@mkdir -p $(dir $@)
	cat $^ > $@.new && mv $@.new $@

# ---- Tests ----------------------------------------------------------------------------------------------------------

UNIT_FLAGS = -std=c++20 -Wall -Wextra -Wshadow -Werror -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all \
	-DBOOST_TEST_DYN_LINK -DCHAT_V11_VECTORS='"$(CURDIR)/test/vectors/bucketing.json"' -Isrc -Itest/unit
UNIT_OBJS  = $(patsubst %.cpp,build/unit/%.o,$(wildcard test/unit/*.cpp src/core/*.cpp))

.PHONY: deps unit fuzzers fuzz regress isolation tap clients traffic-check format-check docs-check bench bench-analysis matrix demo
deps:
	@test/deps.sh

build/unit/%.o: %.cpp
	@mkdir -p $(dir $@)
	$(CXX) $(UNIT_FLAGS) -MMD -MP -c $< -o $@

build/unit/run: $(UNIT_OBJS)
	$(CXX) $(UNIT_FLAGS) $^ -lboost_unit_test_framework -o $@
-include $(UNIT_OBJS:.o=.d)

# Each test/fuzz/NAME.cpp is a target of its own; main.cpp gives it its inputs.  FUZZ_INPUTS=10000000 for a long run.
FUZZ_INPUTS ?= 300000
FUZZERS = $(patsubst test/fuzz/%.cpp,build/fuzz/%,$(filter-out test/fuzz/main.cpp,$(wildcard test/fuzz/*.cpp)))
FUZZ_OBJS = $(patsubst %.cpp,build/unit/%.o,test/fuzz/main.cpp $(wildcard src/core/*.cpp))

$(FUZZERS): build/fuzz/%: build/unit/test/fuzz/%.o $(FUZZ_OBJS)
	@mkdir -p $(dir $@)
	$(CXX) $(UNIT_FLAGS) $^ -o $@
-include $(patsubst build/fuzz/%,build/unit/test/fuzz/%.d,$(FUZZERS)) build/unit/test/fuzz/main.d

build/traffic: $(wildcard test/traffic/*.cpp test/traffic/*.hpp)
	@mkdir -p build
	$(CXX) -std=c++20 -O2 -Wall -Wextra -Wshadow -Werror $(filter %.cpp,$^) -o $@

unit: build/unit/run
	build/unit/run --report_level=short

fuzzers: $(FUZZERS)

fuzz: fuzzers
	@for fuzzer in $(FUZZERS); do $$fuzzer $(FUZZ_INPUTS) || exit 1; done

regress:
	test/regress.sh

isolation:
	test/isolation/run.sh

tap:
	test/tap/run.sh

# Flag clients as published, in Node 18 or later.
clients:
	test/clients/run.sh

traffic-check: build/traffic
	test/traffic/check.sh build/traffic

docs-check:
	test/docs/check.sh

format-check:
	test/format.sh

# BENCH=--full for the long ones too.
bench:
	test/bench/engine.sh $(BENCH)

# The canary analysis by simulation, in plain C++.  RUNS=200 for a quick look.
BENCH_FLAGS = -std=c++20 -O2 -Wall -Wextra -Wshadow -Werror -Isrc -Itest/bench
# The statistics alone, without what the database keeps for them.
BENCH_OBJS  = $(patsubst %.cpp,build/bench/%.o,test/bench/analysis.cpp src/core/time.cpp \
	$(filter-out %_archive.cpp %_collect.cpp %_late.cpp %_row.cpp %_run.cpp %_units.cpp,$(wildcard src/core/analysis_*.cpp)) \
	$(wildcard src/core/histogram*.cpp))

build/bench/%.o: %.cpp
	@mkdir -p $(dir $@)
	$(CXX) $(BENCH_FLAGS) -MMD -MP -c $< -o $@

build/bench/analysis: $(BENCH_OBJS)
	$(CXX) $^ -pthread -o $@
-include $(BENCH_OBJS:.o=.d)

bench-analysis: build/bench/analysis
	build/bench/analysis

# Servers 17 and 18, each in a Debian of its own.  By hand: it needs root and some minutes.
matrix:
	test/matrix.sh

# A whole rollout on generated traffic.
demo:
	@test/deps.sh
	@test/demo.sh

endif
