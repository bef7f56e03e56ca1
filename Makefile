# chat_v11: PGXS build.  `make check` and `make demo` do everything, also installing what is missing on Debian.
PG_CONFIG ?= pg_config

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
-include $(OBJS:.o=.d)

# The script of the present version is assembled from its modules.
$(SQL_FULL): $(sort $(wildcard sql/install/*.sql))
	@mkdir -p $(dir $@)
	cat $^ > $@.new && mv $@.new $@
