# Third-party libraries, all from the distribution. The comment names the one folder that owns each.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson>=2.14)   # proto/json, values everywhere
pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET libsodium)        # proto/base (hash, random)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)           # proto/json (yaml)
pkg_check_modules(ZMQ REQUIRED IMPORTED_TARGET libzmq)              # orchestrator/bus, agents/sdk
pkg_check_modules(UV REQUIRED IMPORTED_TARGET libuv)                # orchestrator/loop
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)          # orchestrator/store
pkg_check_modules(LUA REQUIRED IMPORTED_TARGET lua5.4)              # orchestrator/script
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)        # orchestrator/script (text matching)
pkg_check_modules(DW REQUIRED IMPORTED_TARGET libdw libelf)         # agents/performance/profile
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)                # agents/performance/profile
pkg_check_modules(MICROHTTPD REQUIRED IMPORTED_TARGET libmicrohttpd) # orchestrator/door/http_library.c
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl)            # agents/model; orchestrator/loop loads it when it is needed
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)           # tests
